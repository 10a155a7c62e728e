import type { Readable } from 'node:stream';
import { AT_FDCWD, idMapping, O } from '@lamella/syscall';
import { applyLayer } from './layer/apply-layer.js';
import { jail } from './layer/jail.js';
import { PUT_OPTIONS, read } from './option-shapes.js';
import { treeArchive } from './sink/tree-archive.js';

/**
 * Unpack a tar among the files of a directory of the host, which is the root of whoever unpacks. A
 * directory there makes way for no file.
 *
 * @param directory absolute path
 * @param keepOwners as root, files belong to whom the archive says; else to the caller
 * @throws ImageError `TAR_*`, `LAYER_*`; what came before the failure is there
 */
export async function putFiles(archive: Readable, directory: string, options: { readonly keepOwners?: boolean } = {}): Promise<void> {
  const { keepOwners = false } = read('putFiles(archive, directory, options)', options, PUT_OPTIONS);
  // Who copies out of a container has the files for itself, whatever ids the container has.
  const ids = idMapping().kind === 'host' ? 'host' : 'single';
  const owner = keepOwners && ids === 'host' ? {} : { owner: { uid: 0, gid: 0 } };
  await applyLayer(archive, directory, { plain: { enter: jail(directory, ids), ids, ...owner } });
}

/**
 * The tar of a file or tree of the host.
 *
 * @param directory absolute path of the directory it is in
 * @param base its name there, `.` for the directory itself
 * @param name what it is called in the archive; `.` for a directory's content
 */
export function getFiles(directory: string, base: string, name: string): Readable {
  return treeArchive(
    [
      { op: 'openat', dirfd: AT_FDCWD, pathname: directory, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: 5 },
      { op: 'walk', dirfd: 5, content: 1, pathname: base },
    ],
    name,
  );
}
