import { chown, lstat, readlink, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { FILE_BOUNDS, readOptionalText } from '@lamella/syscall';
import { ImageError } from '../../model/image-error.js';
import { isHost } from '../../model/reference.js';
import { writeDurably } from '../../store/durable-file.js';
import { makeDirectory } from '../../store/make-directory.js';
import { type AuthFile, type AuthKey, authFiles, canonicalHost, dockerConfig, helperFor, keyFor, parseAuthKey, parseTable, readAuthFile } from './auth-file.js';
import { eraseFromHelper, storeWithHelper } from './credential-helper.js';

/** A registry to log in to, or a part of it. */
export type LoginPlace = AuthKey;

/**
 * Reads `HOST[:PORT][/NAMESPACE]`, or a URL, of which only the host counts: `https://index.docker.io/v1/` is Docker Hub.
 *
 * @throws ImageError `REFERENCE_INVALID`
 */
export function parseLoginPlace(text: string): LoginPlace {
  const [host = '', ...rest] = text.replace(/^(?:https?|docker):\/\//i, '').split('/');
  const place = parseAuthKey(text.trim());
  if (isHost(host) && rest.slice(0, -1).every(Boolean) && /^[a-z0-9._/-]*$/.test(place.path)) return place;
  throw new ImageError({
    code: 'REFERENCE_INVALID',
    message: `'${text}' is not a registry`,
    hint: 'Write HOST[:PORT], like registry.example.com or localhost:5000.',
  });
}

/**
 * Keeps credentials where Docker and podman find them, too: with the helper that is configured for the registry, or in the
 * file that has some for it already, or in Docker's. What else is in the file stays as it is.
 *
 * @returns the file, or the name of the helper
 * @throws ImageError `REFERENCE_INVALID`, `CREDENTIALS_INVALID`, `CREDENTIALS_NOT_WRITTEN`, `CREDENTIAL_HELPER_FAILED`
 */
export async function storeCredentials(registry: string, credentials: { readonly username: string; readonly password: string }): Promise<string> {
  const place = parseLoginPlace(registry);
  const key = keyFor(place);
  const files = authFiles();
  const having = files.find((file) => Object.keys(readUnbroken(file)?.auths ?? {}).some((each) => isSame(parseAuthKey(each), place)));
  const file = having ?? (process.env.REGISTRY_AUTH_FILE || dockerConfig());
  const known = readUnbroken(file);
  const helper = known && helperFor(known, place.host);
  if (helper) await storeWithHelper(helper, key, credentials);
  const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
  // Other spellings of the registry would keep the old password in the file.
  await change(file, (auths) => ({ ...withoutPlace(auths, place), [key]: helper ? {} : { ...withoutCredentials(auths[key]), auth } }));
  return helper ? `docker-credential-${helper}` : file;
}

/**
 * Removes the credentials for a registry from every file and helper where they would be found.
 *
 * @returns the files and helpers that had some
 * @throws ImageError `NOT_LOGGED_IN`, and those of {@link storeCredentials}
 */
export async function forgetCredentials(registry: string): Promise<readonly string[]> {
  const place = parseLoginPlace(registry);
  const had: string[] = [];
  for (const file of authFiles()) {
    const known = readUnbroken(file);
    if (!known) continue;
    const isKnown = Object.keys(known.auths).some((key) => isSame(parseAuthKey(key), place));
    const helper = helperFor(known, place.host);
    if (helper && (await eraseFromHelper(helper, keyFor(place)))) had.push(`docker-credential-${helper}`);
    if (!isKnown) continue;
    await change(file, (auths) => withoutPlace(auths, place));
    if (!helper) had.push(file);
  }
  if (had.length) return had;
  const where = process.env.REGISTRY_AUTH_FILE || dockerConfig();
  throw new ImageError({ code: 'NOT_LOGGED_IN', message: `${where} has no credentials for ${registry}`, hint: 'There is nothing to log out of.' });
}

/** The entries that are not of a place, however it is spelt. */
function withoutPlace(auths: Readonly<Record<string, unknown>>, place: AuthKey): Record<string, unknown> {
  return Object.fromEntries(Object.entries(auths).filter(([key]) => !isSame(parseAuthKey(key), place)));
}

function isSame(a: AuthKey, b: AuthKey): boolean {
  return canonicalHost(a.host) === canonicalHost(b.host) && a.path === b.path;
}

/** A broken file is not written over: what is in it might be wanted. */
function readUnbroken(file: string): AuthFile | undefined {
  try {
    return readAuthFile(file);
  } catch (cause) {
    throw invalid((cause as Error).message, cause);
  }
}

function invalid(message: string, cause: unknown): ImageError {
  return new ImageError({ code: 'CREDENTIALS_INVALID', message, hint: 'Mend the file, or move it away. Nothing was written.', cause });
}

function withoutCredentials(entry: unknown): object {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return {};
  const { auth: _1, username: _2, password: _3, identitytoken: _4, registrytoken: _5, ...others } = entry as Record<string, unknown>;
  return others;
}

/** Changes the table of credentials in a file, and nothing else in it. */
async function change(file: string, edit: (auths: Readonly<Record<string, unknown>>) => Record<string, unknown>): Promise<void> {
  try {
    makeDirectory(path.dirname(file));
    const target = await whereLeads(file);
    const text = readOptionalText(target, FILE_BOUNDS.credentials) ?? '';
    const whole = parseTable(text, file);
    const isFirstFormat = path.basename(file) === '.dockercfg';
    const auths = (isFirstFormat ? whole : (whole.auths ?? {})) as Record<string, unknown>;
    const changed = isFirstFormat ? edit(auths) : { ...whole, auths: edit(auths) };
    const indent = /\n([ \t]+)"/.exec(text)?.[1] ?? '\t';
    const owner = await stat(target).catch(missing);
    await writeDurably(target, `${JSON.stringify(changed, undefined, indent)}\n`, 0o600);
    // As with `sudo` and another user's home: the file stays that user's.
    if (owner && owner.uid !== process.geteuid?.()) await chown(target, owner.uid, owner.gid);
  } catch (cause) {
    if (cause instanceof ImageError && cause.code !== 'ROOT_UNUSABLE') throw cause;
    throw new ImageError({
      code: 'CREDENTIALS_NOT_WRITTEN',
      message: `${file} cannot be written: ${(cause as NodeJS.ErrnoException).message}`,
      hint: 'Check its permissions, or name another file by REGISTRY_AUTH_FILE.',
      cause,
    });
  }
}

/** The file that a link leads to: it is replaced, and the link stays. */
async function whereLeads(file: string): Promise<string> {
  const found = await lstat(file).catch(missing);
  if (!found?.isSymbolicLink()) return file;
  return (await realpath(file).catch(missing)) ?? path.resolve(path.dirname(file), await readlink(file));
}

function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
