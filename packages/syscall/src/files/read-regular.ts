import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { StreamOptions } from '../model/stream-options.js';
import { O } from '../ops/constants.js';
import { read, STREAM_OPTIONS } from '../options/option-shapes.js';
import { textOf } from '../text/byte-text.js';
import type { FileBound } from './file-bounds.js';
import { FileError, kindOf } from './file-error.js';
import { type FilePlace, nameOfPlace } from './hold-place.js';
import { openRegular, openRegularSync, tooLarge } from './open-regular.js';

const CHUNK = 256 * 1024;

/**
 * Reads a regular file that others made, whole and within its bound. It is done at once: for small files a trip to the
 * thread pool takes longer.
 *
 * @throws FileError
 */
export function readRegular(place: FilePlace, bound: FileBound): Buffer {
  const { fd, stat } = openRegularSync(place);
  try {
    if (stat.size > bound.bytes) throw tooLarge(nameOfPlace(place), stat.size, bound);
    return readWithin(fd, nameOfPlace(place), stat.size, bound);
  } finally {
    closeSync(fd);
  }
}

/** Returns the same as text; {@link textOf} describes bytes that are not UTF-8. */
export function readRegularText(place: FilePlace, bound: FileBound): string {
  return textOf(readRegular(place, bound));
}

/**
 * Reads an optional file.
 *
 * @returns undefined if it is missing
 * @throws FileError
 */
export function readOptionalText(place: FilePlace, bound: FileBound): string | undefined {
  try {
    return readRegularText(place, bound);
  } catch (error) {
    if (error instanceof FileError && error.problem === 'missing') return undefined;
    throw error;
  }
}

/**
 * Reads what the user named: a regular file, or a pipe such as `<(…)` and `/dev/stdin`, until its end. Also a device may
 * be named, but its bound is the same.
 *
 * @param file a path, or a descriptor, which stays open
 * @param name what messages call it
 * @throws FileError
 */
export function readNamed(file: string | number, bound: FileBound, name: string = String(file)): Buffer {
  let fd: number;
  try {
    fd = typeof file === 'number' ? file : openSync(file, O.RDONLY | O.NOCTTY);
  } catch (error) {
    throw FileError.of(name, error as NodeJS.ErrnoException);
  }
  try {
    const stat = fstatSync(fd);
    if (stat.isDirectory()) throw new FileError('irregular', name, `${name} is ${kindOf(stat)}`, 'Name a file.');
    if (stat.size > bound.bytes) throw tooLarge(name, stat.size, bound);
    return readWithin(fd, name, stat.size, bound);
  } finally {
    if (typeof file !== 'number') closeSync(fd);
  }
}

/** Returns the same as text; {@link textOf} describes bytes that are not UTF-8. */
export function readNamedText(file: string | number, bound: FileBound, name?: string): string {
  return textOf(readNamed(file, bound, name));
}

/**
 * Opens a regular file that others made as a stream. No more is read than it had when it was opened.
 *
 * @returns the stream, which closes the file
 * @throws FileError
 */
export async function streamRegular(place: FilePlace, options: StreamOptions = {}): Promise<Readable> {
  const { signal, highWaterMark = CHUNK, part } = read('streamRegular(place, options)', options, STREAM_OPTIONS);
  const handle = await openRegular(place);
  try {
    const { offset, size } = part ?? { offset: 0, size: (await handle.stat()).size };
    if (size) return handle.createReadStream({ start: offset, end: offset + size - 1, highWaterMark, ...(signal ? { signal } : {}) } as never);
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return Readable.from([]);
}

/** Reads to the end whatever size the file has: files of /proc have 0, and a file may grow. */
function readWithin(fd: number, name: string, expected: number, bound: FileBound): Buffer {
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    const wanted = expected > total ? expected - total + 1 : expected ? 4096 : CHUNK;
    const chunk = Buffer.allocUnsafe(Math.min(wanted, bound.bytes + 1 - total));
    const count = readNow(fd, chunk, name);
    const [only, ...more] = chunks;
    if (count === 0) return only && !more.length ? only : Buffer.concat(chunks);
    const read = chunk.subarray(0, count);
    // A pipe may deliver single bytes, which must not keep a large buffer each.
    chunks.push(count * 2 < chunk.length ? Buffer.from(read) : read);
    total += count;
    if (total > bound.bytes) throw tooLarge(name, undefined, bound);
  }
}

/** Waits for a non-blocking pipe. */
function readNow(fd: number, into: Buffer, name: string): number {
  for (;;) {
    try {
      return readSync(fd, into, 0, into.length, null);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN' || fstatSync(fd).isFile()) throw FileError.of(name, error as NodeJS.ErrnoException);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}
