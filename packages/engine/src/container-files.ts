import { readFileSync } from 'node:fs';
import type { FileMount } from '@lamella/namespace';

/** `/etc/hostname`, `/etc/hosts` and `/etc/resolv.conf`: a container's own, without touching the image or the upper. */
export function containerFiles(hostname: string, network: 'none' | 'host'): readonly FileMount[] {
  const hosts = network === 'host' ? hostFile('/etc/hosts') : undefined;
  return [
    { type: 'file', destination: '/etc/hostname', content: `${hostname}\n` },
    { type: 'file', destination: '/etc/hosts', content: hosts ?? `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\t${hostname}\n` },
    { type: 'file', destination: '/etc/resolv.conf', content: hostFile('/etc/resolv.conf') ?? '' },
  ];
}

function hostFile(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
