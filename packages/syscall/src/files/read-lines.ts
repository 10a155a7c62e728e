import { closeSync, readSync } from 'node:fs';
import type { FileBound } from './file-bounds.js';
import { FileError } from './file-error.js';
import { type FilePlace, nameOfPlace } from './hold-place.js';
import { openRegularSync, tooLarge } from './open-regular.js';

const LONGEST = 1 << 20;
const NEWLINE = 10;

/**
 * Reads a regular file that others made line by line, within its bound. Only one part of it is in memory at a time.
 * Empty lines are left out, and so is a line of more than 1 MiB.
 *
 * @param mention what a line must have in it; the others are passed over at the speed of memmem(3)
 * @throws FileError
 */
export function* readLines(place: FilePlace, bound: FileBound, mention?: string): Generator<string> {
  const { fd, stat } = openRegularSync(place);
  try {
    const name = nameOfPlace(place);
    if (stat.size > bound.bytes) throw tooLarge(name, stat.size, bound);
    const buffer = Buffer.allocUnsafe(stat.size ? Math.min(2 * LONGEST, stat.size + 1) : 2 * LONGEST);
    /** Bytes of a line that is not whole yet, at the beginning of the buffer. */
    let held = 0;
    /** Whether the current line is too long and is skipped to its end. */
    let skipping = false;
    let total = 0;
    for (let count = -1; count; ) {
      count = read(fd, buffer, held, name);
      total += count;
      if (total > bound.bytes) throw tooLarge(name, undefined, bound);
      const part = buffer.subarray(0, held + count);
      const whole = count ? part.lastIndexOf(NEWLINE) + 1 : part.length;
      const start = skipping ? part.indexOf(NEWLINE) + 1 : 0;
      if (whole && !(skipping && !start)) yield* linesIn(part.subarray(start, whole), mention);
      if (whole) skipping = false;
      held = part.length - whole;
      if (held > LONGEST || held === buffer.length) {
        skipping = true;
        held = 0;
      } else buffer.copyWithin(0, whole, part.length);
      if (skipping) held = 0;
    }
  } finally {
    closeSync(fd);
  }
}

/** Yields the complete lines of some bytes, each with its end. */
function* linesIn(bytes: Buffer, mention: string | undefined): Generator<string> {
  const wanted = mention ? Buffer.from(mention) : undefined;
  for (let at = 0; at < bytes.length; ) {
    if (wanted) {
      const hit = bytes.indexOf(wanted, at);
      if (hit < 0) return;
      at = Math.max(at, bytes.lastIndexOf(NEWLINE, hit) + 1);
    }
    const next = bytes.indexOf(NEWLINE, at);
    const end = next < 0 ? bytes.length : next;
    if (end > at && end - at <= LONGEST) yield bytes.toString('utf8', at, end);
    at = end + 1;
  }
}

function read(fd: number, into: Buffer, at: number, name: string): number {
  try {
    return readSync(fd, into, at, into.length - at, null);
  } catch (error) {
    throw FileError.of(name, error as NodeJS.ErrnoException);
  }
}
