import { closeSync, readSync } from 'node:fs';
import type { FileBound } from './file-bounds.js';
import { FileError } from './file-error.js';
import { type FilePlace, nameOfPlace } from './hold-place.js';
import { openRegularSync, tooLarge } from './open-regular.js';

const CHUNK = 1 << 20;
const NEWLINE = 10;

/**
 * Reads a regular file that others made line by line, within its bound. Only one part of it is in memory at a time.
 * Empty lines are left out, and so is a line of more than 1 MiB.
 *
 * @throws FileError
 */
export function* readLines(place: FilePlace, bound: FileBound): Generator<string> {
  const { fd, stat } = openRegularSync(place);
  try {
    const name = nameOfPlace(place);
    if (stat.size > bound.bytes) throw tooLarge(name, stat.size, bound);
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, stat.size || CHUNK));
    let rest: Buffer = Buffer.alloc(0);
    let overlong = false;
    let total = 0;
    for (let count = read(fd, buffer, name); count; count = read(fd, buffer, name)) {
      total += count;
      if (total > bound.bytes) throw tooLarge(name, undefined, bound);
      const chunk = buffer.subarray(0, count);
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
        const length = rest.length + end - start;
        if (length && length <= CHUNK && !overlong) yield Buffer.concat([rest, chunk.subarray(start, end)]).toString('utf8');
        overlong = false;
        rest = Buffer.alloc(0);
        start = end + 1;
      }
      overlong ||= rest.length + count - start > CHUNK;
      rest = overlong ? Buffer.alloc(0) : Buffer.concat([rest, chunk.subarray(start)]);
    }
    if (rest.length) yield rest.toString('utf8');
  } finally {
    closeSync(fd);
  }
}

function read(fd: number, into: Buffer, name: string): number {
  try {
    return readSync(fd, into, 0, into.length, null);
  } catch (error) {
    throw FileError.of(name, error as NodeJS.ErrnoException);
  }
}
