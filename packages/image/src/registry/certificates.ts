import { homedir } from 'node:os';
import path from 'node:path';
import { rootCertificates } from 'node:tls';
import { FILE_BOUNDS, readRegularText } from '@lamella/syscall';
import { listOptional } from './optional-files.js';

/** What a TLS connection to a registry uses beside the system's certificates. */
export interface Certificates {
  readonly ca?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
}

/** Certificates for a host, from the directories that Docker and podman look into (containers-certs.d(5)). */
export function certificatesFor(host: string): Certificates {
  const ca: string[] = [];
  let pair: { cert: string; key: string } | undefined;
  for (const directory of ['/etc/docker/certs.d', '/etc/containers/certs.d', path.join(homedir(), '.config/containers/certs.d')].map((each) =>
    path.join(each, host),
  )) {
    for (const name of listOptional(directory)) {
      const file = path.join(directory, name);
      if (name.endsWith('.crt')) ca.push(read(file));
      if (name.endsWith('.cert')) pair = { cert: read(file), key: read(file.replace(/cert$/, 'key')) };
    }
  }
  return { ...(ca.length ? { ca: [...rootCertificates, ...ca] } : {}), ...pair };
}

const read = (file: string): string => readRegularText(file, FILE_BOUNDS.credentials);
