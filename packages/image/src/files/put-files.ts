import type { Readable } from 'node:stream';
import { idMapping, type Op, openWithoutLinks, RESOLVE, SyscallError, textOf } from '@lamella/syscall';
import { ImageError } from '../model/image-error.js';
import { PUT_OPTIONS, read } from '../options/option-shapes.js';
import { treeArchive } from '../transfer/tree-archive.js';
import { unpackFiles } from './unpack-files.js';

/** The slot of the directory that is read, or written to. */
const TOP = 20;

/**
 * Unpacks a tar among the files of a directory of the host. No link is followed below it, not even one that is made there meanwhile.
 *
 * @param directory absolute path without links
 * @param keepOwners as root, files belong to whom the archive says; else to the caller
 * @throws ImageError `COPY_*`, `TAR_*`; what came before the failure is there
 */
export async function putFiles(archive: Readable, directory: string, options: { readonly keepOwners?: boolean } = {}): Promise<void> {
  const { keepOwners = false } = read('putFiles(archive, directory, options)', options, PUT_OPTIONS);
  // Files copied out of a container belong to the caller, whatever ids the container has.
  const ids = idMapping().kind === 'host' ? 'host' : 'single';
  const owner = keepOwners && ids === 'host' ? {} : { owner: { uid: 0, gid: 0 } };
  const resolve = RESOLVE.BENEATH | RESOLVE.NO_SYMLINKS;
  await unpackFiles(archive, { enter: [openTop(directory), { op: 'umask', mask: 0 }], top: TOP, directory: '', resolve, ids, ...owner }).catch(
    (error: unknown) => {
      throw explainTop(error, directory);
    },
  );
}

/**
 * Returns the tar of a file or tree of the host, which is read through no link.
 *
 * @param directory absolute path, without links, of the directory it is in
 * @param base its name there, `.` for the directory itself
 * @param name what it is called in the archive; `.` for a directory's content
 */
export function getFiles(directory: string, base: string, name: string): Readable {
  return treeArchive([openTop(directory), { op: 'walk_seen', dirfd: TOP, without: -1, pathname: base }], name, {
    seen: true,
    explain: (error, last) => explainTop(error, [directory, base, textOf(Buffer.from(last, 'latin1'))].filter(Boolean).join('/')),
  });
}

function explainTop(error: unknown, pathname: string): Error {
  if (!(error instanceof SyscallError)) return error as Error;
  const isGone = ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(error.code);
  return new ImageError({
    code: 'COPY_FAILED',
    message: `${pathname} cannot be ${error.op.op === 'openat2' ? 'opened' : 'read'}: ${error.code}`,
    hint: isGone ? 'Another process has just replaced a directory on its path. Try again.' : 'Check its permissions.',
    cause: error,
  });
}

/** Links in the path were followed before: one that is there now was put there since. */
function openTop(pathname: string): Op {
  return openWithoutLinks(pathname, TOP, { directory: true });
}
