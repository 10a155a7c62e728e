import { rm } from 'node:fs/promises';
import { AT_FDCWD } from '../ops/op.js';
import { run } from './run.js';

/**
 * Removes a directory in which mounts were tried. The kernel leaves `work/work` with mode 000, which rm of an ordinary user cannot
 * enter. The interpreter can, so it is the second try; it is not the first because it may be what does not work.
 */
export async function removeScratch(directory: string): Promise<void> {
  try {
    await rm(directory, { recursive: true, force: true });
  } catch (error) {
    if (!['EACCES', 'EPERM', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    // Another process may have removed it meanwhile.
    await run([{ op: 'rmtree', dirfd: AT_FDCWD, pathname: directory, ignore: ['ENOENT'] }]);
  }
}
