import type { Readable } from 'node:stream';
import { treeArchive } from '@lamella/image';
import { AT_FDCWD, O, ownMountNamespace } from '@lamella/syscall';

/** The tar of an upper as a layer of an image. @param files its marks are files. @param mtime seconds since 1970, of everything in it */
export function layerOf(upperdir: string, files: boolean, mtime: number | undefined): Readable {
  const attributes = process.geteuid?.() === 0 ? 'trusted' : 'user';
  const marks = files ? 'files' : attributes;
  const program = [
    ...ownMountNamespace(),
    { op: 'openat', dirfd: AT_FDCWD, pathname: upperdir, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: 5 },
    { op: 'walk', dirfd: 5, content: 1, pathname: '.' },
  ] as const;
  return treeArchive(program, '.', { layer: { marks }, mtime });
}
