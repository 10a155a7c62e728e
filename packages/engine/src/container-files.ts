import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { BindMount } from '@lamella/namespace';
import { AT_FDCWD, O, type Program } from '@lamella/syscall';

/** Files every container has of its own, without touching the image. */
export interface ContainerFiles {
  /** Ops that write them into the container's directory. */
  readonly ops: Program;
  /** Mounts that show them inside. */
  readonly mounts: readonly BindMount[];
}

/** `/etc/hostname`, `/etc/hosts` and `/etc/resolv.conf`. */
export function containerFiles(directory: string, hostname: string, network: 'none' | 'host'): ContainerFiles {
  const hosts = network === 'host' ? hostFile('/etc/hosts') : undefined;
  const content: readonly (readonly [name: string, text: string])[] = [
    ['hostname', `${hostname}\n`],
    ['hosts', hosts ?? `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\t${hostname}\n`],
    ['resolv.conf', hostFile('/etc/resolv.conf') ?? ''],
  ];
  return {
    ops: content.map(([name, data]) => ({
      op: 'write_file',
      dirfd: AT_FDCWD,
      pathname: path.join(directory, name),
      flags: O.WRONLY | O.CREAT | O.EXCL | O.CLOEXEC,
      mode: 0o644,
      data,
    })),
    mounts: content.map(([name]) => ({ type: 'bind', source: path.join(directory, name), destination: `/etc/${name}`, directory: false })),
  };
}

function hostFile(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
