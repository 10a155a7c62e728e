import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { ImageError } from '../model/image-error.js';

/**
 * Makes a directory of a store, and those above it. (Node's own `recursive` never returns where a
 * filesystem says ENOENT to every new name, as /proc does.)
 *
 * @param directory absolute path; it may exist
 * @throws ImageError `ROOT_UNUSABLE`
 */
export function makeDirectory(directory: string, mode = 0o700): void {
  try {
    make(directory, mode);
  } catch (cause) {
    throw new ImageError({
      code: 'ROOT_UNUSABLE',
      message: `${directory} cannot be made: ${(cause as NodeJS.ErrnoException).code}`,
      hint: 'Choose another store with --root or LAMELLA_ROOT.',
      cause,
    });
  }
}

function make(directory: string, mode: number): void {
  try {
    mkdirSync(directory, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Another process may have been faster, at any step.
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || path.dirname(directory) === directory) throw error;
    make(path.dirname(directory), mode);
    try {
      mkdirSync(directory, { mode });
    } catch (again) {
      if ((again as NodeJS.ErrnoException).code !== 'EEXIST') throw again;
    }
  }
}
