import { homedir } from 'node:os';
import path from 'node:path';
import { FILE_BOUNDS, readOptionalText } from '@lamella/syscall';
import * as v from 'valibot';
import { ImageError } from '../image-error.js';
import { writeDurably } from '../store/durable-file.js';
import { makeDirectory } from '../store/make-directory.js';
import { parseDocument } from '../store/oci-schema.js';
import { readOptional } from './optional-files.js';

/** Who we are to a registry; a token is what its helper calls an identity token. */
export type Credentials = { readonly username: string; readonly password: string } | { readonly identityToken: string };

const AuthFile = v.looseObject({
  auths: v.optional(v.record(v.string(), v.looseObject({ auth: v.optional(v.string()), identitytoken: v.optional(v.string()) }))),
  credHelpers: v.optional(v.record(v.string(), v.string())),
  credsStore: v.optional(v.string()),
});
type AuthFile = v.InferOutput<typeof AuthFile>;

const HelperAnswer = v.looseObject({ Username: v.string(), Secret: v.string() });
/** What Docker calls its own registry in its files. */
const DOCKER_HUB = 'https://index.docker.io/v1/';

function dockerConfig(): string {
  return path.join(process.env.DOCKER_CONFIG || path.join(homedir(), '.docker'), 'config.json');
}

/** Where credentials are looked for, in order: containers-auth.json(5), then Docker's own. */
function authFiles(): string[] {
  const { REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR, XDG_CONFIG_HOME } = process.env;
  return [
    ...(REGISTRY_AUTH_FILE ? [REGISTRY_AUTH_FILE] : []),
    ...(XDG_RUNTIME_DIR ? [path.join(XDG_RUNTIME_DIR, 'containers/auth.json')] : []),
    path.join(XDG_CONFIG_HOME || path.join(homedir(), '.config'), 'containers/auth.json'),
    dockerConfig(),
  ];
}

/**
 * Credentials for a repository: an entry for it, for one of its parents, or for its registry.
 *
 * @param domain `docker.io`, `localhost:5000`, …
 * @throws ImageError `CREDENTIALS_INVALID`, `CREDENTIAL_HELPER_FAILED`
 */
export async function findCredentials(domain: string, repository: string): Promise<Credentials | undefined> {
  for (const file of authFiles()) {
    const auths = readAuthFile(file);
    if (!auths) continue;
    const helper = auths.credHelpers?.[domain] ?? auths.credsStore;
    if (helper) {
      const found = await askHelper(helper, domain === 'docker.io' ? DOCKER_HUB : domain);
      if (found) return found;
    }
    for (const key of keysFor(domain, repository)) {
      const entry = auths.auths?.[key];
      if (entry?.identitytoken) return { identityToken: entry.identitytoken };
      if (entry?.auth) return decode(entry.auth, file);
    }
  }
  return undefined;
}

/** Keys of an auths table, the most special first. */
function keysFor(domain: string, repository: string): string[] {
  const parts = repository.split('/');
  const paths = parts.map((_, i) => `${domain}/${parts.slice(0, parts.length - i).join('/')}`);
  const hosts =
    domain === 'docker.io'
      ? ['docker.io', DOCKER_HUB, 'index.docker.io', 'registry-1.docker.io']
      : [domain, `https://${domain}`, `http://${domain}`, `https://${domain}/v1/`, `https://${domain}/v2/`];
  return [...paths, ...hosts];
}

function decode(auth: string, file: string): Credentials {
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 1)
    throw new ImageError({
      code: 'CREDENTIALS_INVALID',
      message: `${file} has an entry that is not base64 of NAME:PASSWORD`,
      hint: 'Log in anew: lamella login HOST.',
    });
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

function readAuthFile(file: string): AuthFile | undefined {
  const text = readOptional(file);
  return text === undefined ? undefined : parseDocument(AuthFile, text, file);
}

/** docker-credential-helpers' protocol: the registry on stdin, JSON on stdout. */
async function askHelper(helper: string, registry: string): Promise<Credentials | undefined> {
  const { execa } = await import('execa');
  const result = await execa(`docker-credential-${helper}`, ['get'], { input: registry, reject: false, timeout: 30_000 });
  if (result.failed) {
    if (/credentials not found/i.test(`${result.stdout}${result.stderr}`)) return undefined;
    const why = result.code === 'ENOENT' ? 'it is not installed' : String(result.stderr || result.stdout || result.shortMessage);
    throw new ImageError({
      code: 'CREDENTIAL_HELPER_FAILED',
      message: `docker-credential-${helper} gives no credentials for ${registry}: ${why}`,
      hint: 'Unlock or install it, or take it out of the configuration.',
    });
  }
  const answer = parseDocument(HelperAnswer, String(result.stdout), `the answer of docker-credential-${helper}`);
  return answer.Username === '<token>' ? { identityToken: answer.Secret } : { username: answer.Username, password: answer.Secret };
}

/** Write credentials where Docker and podman find them, too. @returns the file */
export async function storeCredentials(domain: string, credentials: { readonly username: string; readonly password: string } | undefined): Promise<string> {
  const file = process.env.REGISTRY_AUTH_FILE || dockerConfig();
  makeDirectory(path.dirname(file));
  const text = readOptionalText(file, FILE_BOUNDS.credentials) ?? '{}';
  const config = parseDocument(AuthFile, text, file);
  const key = domain === 'docker.io' ? DOCKER_HUB : domain;
  const { [key]: had, ...others } = config.auths ?? {};
  if (!credentials && !had)
    throw new ImageError({ code: 'NOT_LOGGED_IN', message: `${file} has no credentials for ${domain}`, hint: 'There is nothing to log out of.' });
  const auths = credentials ? { ...others, [key]: { auth: Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64') } } : others;
  await writeDurably(file, `${JSON.stringify({ ...config, auths }, undefined, 2)}\n`, 0o600);
  return file;
}
