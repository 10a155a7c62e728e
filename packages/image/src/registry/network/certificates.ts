import { X509Certificate } from 'node:crypto';
import { homedir } from 'node:os';
import path from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
import { FILE_BOUNDS, readOptionalText } from '@lamella/syscall';
import { ImageError } from '../../model/image-error.js';
import { listOptional } from '../optional-files.js';
import { trustedRoots } from './trusted-roots.js';

/** A client certificate with its key. */
interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** What directories of certificates have for a host (containers-certs.d(5)). */
interface HostCertificates {
  /** Trusted beside the machine's own. */
  readonly authorities: readonly { readonly file: string; readonly text: string }[];
  readonly pair?: KeyPair & { readonly file: string };
}

/** Where podman and Docker look, the user's own first. Docker's rootless mode has the second. */
function directories(): readonly string[] {
  const own = process.env.XDG_CONFIG_HOME || path.join(homedir(), '.config');
  return [path.join(own, 'containers/certs.d'), path.join(own, 'docker/certs.d'), '/etc/containers/certs.d', '/etc/docker/certs.d'];
}

/**
 * Returns what connections to a host of a registry trust, and who they say they are.
 *
 * @param host of the URL, with its port
 * @param registry whose images are fetched: its authorities are trusted for its storage and its token server, too, but its
 * client certificate is shown to nobody else
 * @throws ImageError `REGISTRY_CERTIFICATE` if a file of the directories has another content than its name promises
 */
export function secureContextFor(host: string, registry: string): SecureContext {
  const found = [...new Set([host, registry])].map(certificatesOf);
  const authorities = found.flatMap((each) => each.authorities).map(({ text }) => text);
  const pair = found[0]?.pair;
  return contextOf({ ca: [...trustedRoots(), ...authorities], ...(pair ? { cert: pair.cert, key: pair.key } : {}) }, pair?.file ?? 'the machine');
}

function contextOf(options: { readonly ca: string[]; readonly cert?: string; readonly key?: string }, file: string): SecureContext {
  try {
    return createSecureContext(options);
  } catch (cause) {
    throw unfit(`${file} is no certificate: ${(cause as Error).message}`, 'Replace it by one in PEM form.', cause);
  }
}

function certificatesOf(host: string): HostCertificates {
  const authorities: { file: string; text: string }[] = [];
  let pair: (KeyPair & { file: string }) | undefined;
  for (const directory of directories().map((each) => path.join(each, host))) {
    for (const name of listOptional(directory)) {
      const file = path.join(directory, name);
      if (name.endsWith('.crt')) authorities.push({ file, text: authority(file) });
      else if (name.endsWith('.cert')) pair ??= { cert: read(file), key: read(file.replace(/cert$/, 'key'), `the key of ${file}`), file };
    }
  }
  return { authorities, ...(pair ? { pair } : {}) };
}

/** OpenSSL takes what it cannot read for nothing. */
function authority(file: string): string {
  const text = read(file);
  try {
    new X509Certificate(text);
  } catch (cause) {
    throw unfit(`${file} is no certificate: ${(cause as Error).message}`, 'Replace it by one in PEM form.', cause);
  }
  return text;
}

function read(file: string, what = file): string {
  const text = readOptionalText(file, FILE_BOUNDS.credentials);
  if (text !== undefined) return text;
  throw unfit(`${what} is missing`, 'A client certificate NAME.cert needs NAME.key beside it. The name of an authority ends in .crt.');
}

function unfit(message: string, hint: string, cause?: unknown): ImageError {
  return new ImageError({ code: 'REGISTRY_CERTIFICATE', message, hint, ...(cause === undefined ? {} : { cause }) });
}
