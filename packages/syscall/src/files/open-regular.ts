import { openSync, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { O } from '../ops/constants.js';
import type { FileBound } from './file-bounds.js';
import { FileError, kindOf } from './file-error.js';
import type { HeldFile } from './held-file.js';
import { type FilePlace, holdPlace, nameOfPlace } from './hold-place.js';

/** Non-blocking even though only regular files are opened, because of leases and mandatory locks. */
const FLAGS = O.RDONLY | O.NONBLOCK | O.NOCTTY;

/**
 * Opens a regular file that others made, for reading. A FIFO, a device, a socket or a directory is refused before it is
 * opened.
 *
 * @returns a descriptor, which the caller closes, and what fstat(2) says of it
 * @throws FileError
 */
export function openRegularSync(place: FilePlace): { readonly fd: number; readonly stat: Stats } {
  // An object that the caller holds stays open.
  if (typeof place !== 'string' && 'held' in place) return openHeld(regular(place.held, place.name), place.name);
  using held = holdRegular(place);
  return openHeld(held, nameOfPlace(place));
}

function openHeld(held: HeldFile, name: string): { readonly fd: number; readonly stat: Stats } {
  try {
    return { fd: openSync(held.path, FLAGS), stat: held.stat };
  } catch (error) {
    throw FileError.of(name, error as NodeJS.ErrnoException);
  }
}

/**
 * Opens a regular file of others as a FileHandle, to read at any offset and to stream.
 *
 * @throws FileError
 */
export async function openRegular(place: FilePlace): Promise<FileHandle> {
  using held = holdRegular(place);
  return await open(held.path, FLAGS).catch((error: NodeJS.ErrnoException) => {
    throw FileError.of(nameOfPlace(place), error);
  });
}

function holdRegular(place: FilePlace): HeldFile {
  const held = holdPlace(place);
  const name = nameOfPlace(place);
  if (!held) throw new FileError('missing', name, `${name} does not exist`, 'Check the path.');
  try {
    return regular(held, name);
  } catch (error) {
    held[Symbol.dispose]();
    throw error;
  }
}

function regular(held: HeldFile, name: string): HeldFile {
  if (held.stat.isFile()) return held;
  throw new FileError('irregular', name, `${name} is ${kindOf(held.stat)}, not a regular file`, 'Put a regular file in its place.');
}

/** Returns the error for a file that exceeds its bound. */
export function tooLarge(name: string, size: number | undefined, bound: FileBound): FileError {
  const has = size === undefined ? `does not end within ${bound.bytes} bytes` : `has ${size} bytes`;
  return new FileError('too-large', name, `${name} ${has}: ${bound.what} has at most ${bound.bytes}`, 'It is damaged, or made to do damage.');
}
