import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { FILE_BOUNDS, kindOf, O } from '@lamella/syscall';
import { ImageError } from '../model/image-error.js';

/** Reads without waiting and without following links: in a damaged store anything may have a file's name. */
const FLAGS = O.RDONLY | O.NONBLOCK | O.NOCTTY | O.NOFOLLOW;

/** More than any document of the store has; notes about a layer of millions of names are the largest. */
const MOST = 64 * FILE_BOUNDS.document.bytes;

/**
 * Reads a document of the store at once.
 *
 * @returns undefined when there is none
 * @throws ImageError `STORE_CORRUPT` when something else has its name
 */
export function readStored(file: string): Buffer | undefined {
  let fd: number;
  try {
    fd = openSync(file, FLAGS);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'ELOOP') throw notRegular(file, 'is a symbolic link, not a regular file');
    if (code === 'ENXIO' || code === 'ENODEV') throw notRegular(file, 'is a socket or a device, not a regular file');
    if (code === 'ENOTDIR') throw notRegular(file, 'cannot be reached: a part of its path is not a directory');
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw notRegular(file, `is ${kindOf(stat)}, not a regular file`);
    if (stat.size > MOST) throw notRegular(file, `has ${stat.size} bytes; more than ${MOST} are not read`);
    const content = Buffer.allocUnsafe(stat.size);
    let read = 0;
    while (read < content.length) {
      const count = readSync(fd, content, read, content.length - read, read);
      if (!count) break;
      read += count;
    }
    return content.subarray(0, read);
  } finally {
    closeSync(fd);
  }
}

function notRegular(file: string, what: string): ImageError {
  return new ImageError({ code: 'STORE_CORRUPT', message: `${file} ${what}`, hint: 'Mend the store: lamella system check --repair' });
}

/** The same as text, of a document that can be made again: undefined also when something else has its name. */
export function textOfStored(file: string): string | undefined {
  try {
    return readStored(file)?.toString('utf8');
  } catch (error) {
    if (error instanceof ImageError) return undefined;
    throw error;
  }
}
