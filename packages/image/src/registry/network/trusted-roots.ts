import { readlinkSync } from 'node:fs';
import path from 'node:path';
import { getCACertificates, rootCertificates } from 'node:tls';
import { listOptional, readIfRegular } from '../optional-files.js';

/** Where distributions keep their certificates: Debian and Alpine, Fedora, openSUSE, … (Go's crypto/x509 has the same list). */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
const DIRECTORIES = ['/etc/ssl/certs', '/etc/pki/tls/certs'];

/**
 * Returns the certificates, in PEM form, of whom this machine trusts, as Docker and podman find them: `SSL_CERT_FILE` and
 * `SSL_CERT_DIR` (directories with colons between) take the place of the system's bundle and directories. Node's own list is
 * used where a machine has none; what `NODE_EXTRA_CA_CERTS` names is trusted in any case.
 */
export function trustedRoots(environment: Readonly<Record<string, string | undefined>> = process.env): readonly string[] {
  const { SSL_CERT_FILE, SSL_CERT_DIR } = environment;
  const bundle = (SSL_CERT_FILE ? [SSL_CERT_FILE] : BUNDLES).map(readIfRegular).find((text) => text !== undefined);
  const directories = SSL_CERT_DIR ? SSL_CERT_DIR.split(':').filter(Boolean) : DIRECTORIES;
  const texts = [...(bundle === undefined ? [] : [bundle]), ...directories.flatMap(certificatesIn)];
  const roots = new Set(texts.flatMap(blocksOf));
  return [...(roots.size ? roots : rootCertificates), ...getCACertificates('extra')];
}

function certificatesIn(directory: string): readonly string[] {
  return listOptional(directory).flatMap((name) => {
    const file = path.join(directory, name);
    // The names that openssl-rehash(1) makes lead to files of the same directory.
    if (leadsToNeighbour(file)) return [];
    const text = readIfRegular(file);
    return text === undefined ? [] : [text];
  });
}

function leadsToNeighbour(file: string): boolean {
  try {
    return !readlinkSync(file).includes('/');
  } catch (error) {
    // It is not a link, or it has gone.
    if (['EINVAL', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

/** The certificates of a text that may have other things between them. */
function blocksOf(text: string): readonly string[] {
  return text.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[\s\S]*?-----END (?:TRUSTED )?CERTIFICATE-----/g) ?? [];
}
