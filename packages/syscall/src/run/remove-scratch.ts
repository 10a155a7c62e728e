import { rm } from 'node:fs/promises';
import { AT_FDCWD } from '../ops/op.js';
import { run } from './run.js';

/**
 * Remove a directory in which mounts were tried. The kernel leaves `work/work` with mode 000, which an
 * ordinary user's rm cannot enter; the interpreter can, but it may be what was found not to work. All in it
 * is the caller's own: nobody has to map other ids for that.
 */
export async function removeScratch(directory: string): Promise<void> {
  try {
    await rm(directory, { recursive: true, force: true });
  } catch (error) {
    if (!['EACCES', 'EPERM', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    // Somebody else may have removed it meanwhile.
    await run([{ op: 'rmtree', dirfd: AT_FDCWD, pathname: directory, ignore: ['ENOENT'] }]);
  }
}
