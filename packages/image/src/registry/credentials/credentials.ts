import type { Credentials } from '../../model/registry-credentials.js';
import { type AuthEntry, type AuthFile, authFiles, canonicalHost, helperFor, keyFor, keysFor, readAuthFile } from './auth-file.js';
import { askHelper } from './credential-helper.js';

/**
 * Finds the credentials for a repository: those of the longest key that it is below, in the first file that has some. What is
 * wrong with a file or a helper is a warning, for many images are there for everybody.
 *
 * @param domain `docker.io`, `localhost:5000`, …
 * @param repository empty for those of the whole registry
 */
export async function findCredentials(domain: string, repository: string, warn: (warning: string) => void): Promise<Credentials | undefined> {
  for (const file of authFiles()) {
    const found = await credentialsIn(file, domain, repository, warn);
    if (found) return found;
  }
  return undefined;
}

async function credentialsIn(file: string, domain: string, repository: string, warn: (warning: string) => void): Promise<Credentials | undefined> {
  let read: AuthFile | undefined;
  try {
    read = readAuthFile(file);
  } catch (error) {
    warn(`${(error as Error).message}; no credentials are taken from it`);
    return undefined;
  }
  if (!read) return undefined;
  const helper = helperFor(read, domain);
  if (helper) {
    try {
      const found = await askHelper(helper, keyFor({ host: canonicalHost(domain), path: '' }));
      if (found) return found;
    } catch (error) {
      warn(`${(error as Error).message} (${file})`);
    }
  }
  for (const key of keysFor(read.auths, domain, repository)) {
    const found = credentialsOf(read.auths[key], () => warn(`${file}: the entry of ${key} is not base64 of NAME:PASSWORD, and is left out`));
    if (found) return found;
  }
  return undefined;
}

/** The credentials of an entry, as Docker reads it; `null` and `{}` have none. */
function credentialsOf(entry: unknown, warn: () => void): Credentials | undefined {
  if (typeof entry !== 'object' || entry === null) {
    if (entry !== null) warn();
    return undefined;
  }
  const text = (name: string): string => {
    const value = (entry as AuthEntry)[name];
    return typeof value === 'string' ? value : '';
  };
  const [registryToken, identityToken, auth] = [text('registrytoken'), text('identitytoken'), text('auth')];
  if (registryToken) return { registryToken };
  if (identityToken) return { identityToken };
  if (auth) {
    const decoded = decode(auth);
    if (!decoded) warn();
    return decoded;
  }
  const [username, password] = [text('username'), text('password')];
  return username && password ? { username, password } : undefined;
}

function decode(auth: string): Credentials | undefined {
  if (!/^[A-Za-z0-9+/=\s_-]+$/.test(auth)) return undefined;
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  // Some tools fill the password up with zeros.
  return colon < 1 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
}
