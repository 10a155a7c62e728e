import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { O } from '@lamella/syscall';

const FLAGS = O.RDONLY | O.NONBLOCK | O.NOCTTY | O.NOFOLLOW;

/**
 * Reads a file of the store at once, without waiting for anything: in a store that was damaged a FIFO may have its name.
 *
 * @returns undefined when there is none, or something else has its name
 */
export function readOwn(file: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(file, FLAGS);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
  try {
    return fstatSync(fd).isFile() ? readFileSync(fd, 'utf8') : undefined;
  } finally {
    closeSync(fd);
  }
}
