import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import * as v from 'valibot';
import { ImageError } from '../../model/image-error.js';
import type { Credentials } from '../../model/registry-credentials.js';

/** Bytes of what a helper says. */
const ANSWER_MAX = 1 << 20;
/** A helper may ask the user to unlock a keychain; one that does nothing must not keep a pull from ending. */
const PATIENCE = 30_000;

const Answer = v.looseObject({ Username: v.fallback(v.string(), ''), Secret: v.fallback(v.string(), '') });

/**
 * Asks docker-credential-NAME for the credentials of a registry (docker-credential-helpers' protocol: the registry on stdin,
 * JSON on stdout).
 *
 * @param patience milliseconds
 * @returns undefined if it has none
 * @throws ImageError `CREDENTIAL_HELPER_FAILED`
 */
export async function askHelper(name: string, registry: string, patience: number = PATIENCE): Promise<Credentials | undefined> {
  const { status, stdout, stderr } = await callHelper(name, 'get', registry, patience);
  if (status !== 0 && /credentials not found/i.test(`${stdout}${stderr}`)) return undefined;
  if (status !== 0) throw failed(name, said(stdout, stderr) || `it ended with ${status}`);
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), Answer), stdout);
  if (!parsed.success) throw failed(name, 'its answer is not the JSON of credentials');
  const { Username: username, Secret: secret } = parsed.output;
  if (!secret) return undefined;
  return username === '<token>' ? { identityToken: secret } : { username, password: secret };
}

/** @throws ImageError `CREDENTIAL_HELPER_FAILED` */
export async function storeWithHelper(
  name: string,
  registry: string,
  { username, password }: { readonly username: string; readonly password: string },
): Promise<void> {
  const { status, stdout, stderr } = await callHelper(name, 'store', JSON.stringify({ ServerURL: registry, Username: username, Secret: password }), PATIENCE);
  if (status !== 0) throw failed(name, said(stdout, stderr) || `it ended with ${status}`);
}

/** @returns whether it had some @throws ImageError `CREDENTIAL_HELPER_FAILED` */
export async function eraseFromHelper(name: string, registry: string): Promise<boolean> {
  const had = await askHelper(name, registry);
  if (!had) return false;
  const { status, stdout, stderr } = await callHelper(name, 'erase', registry, PATIENCE);
  if (status !== 0) throw failed(name, said(stdout, stderr) || `it ended with ${status}`);
  return true;
}

interface Called {
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

function callHelper(name: string, action: string, input: string, patience: number): Promise<Called> {
  // A path would be another program than the one that Docker and podman call.
  if (!/^[\w.-]+$/.test(name)) throw failed(name, 'that is no name of a helper');
  return new Promise((resolve, reject) => {
    const child = spawn(`docker-credential-${name}`, [action], { stdio: ['pipe', 'pipe', 'pipe'] });
    const out = collect(child.stdout);
    const err = collect(child.stderr);
    const give = (act: () => void): void => {
      clearTimeout(timer);
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
      act();
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      give(() => reject(failed(name, `it did not answer within ${patience / 1000} s`)));
    }, patience);
    child.stdin.on('error', () => {
      // It ended without reading: its own message counts.
    });
    child.on('error', (cause: NodeJS.ErrnoException) =>
      give(() => reject(failed(name, cause.code === 'ENOENT' ? 'it is not installed' : `it cannot be started: ${cause.code}`, cause))),
    );
    child.on('exit', (code, signal) => {
      const done = (): void => {
        clearTimeout(later);
        give(() => resolve({ status: code ?? signal ?? 'nothing', stdout: out(), stderr: err() }));
      };
      // What it wrote is in the pipes. They end with it, unless a process that it left behind has them open.
      const later = setTimeout(done, 1000);
      child.on('close', done);
    });
    child.stdin.end(input);
  });
}

/** @returns what came so far */
function collect(stream: Readable): () => string {
  const chunks: Buffer[] = [];
  let length = 0;
  stream.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length <= ANSWER_MAX) chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

function said(stdout: string, stderr: string): string {
  const text = (stderr.trim() || stdout.trim()).split('\n')[0] ?? '';
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

function failed(name: string, why: string, cause?: unknown): ImageError {
  return new ImageError({
    code: 'CREDENTIAL_HELPER_FAILED',
    message: `docker-credential-${name} gives no credentials: ${why}`,
    hint: 'Unlock or install it, or take it out of the configuration.',
    ...(cause === undefined ? {} : { cause }),
  });
}
