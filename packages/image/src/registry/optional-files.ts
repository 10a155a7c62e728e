import { readdirSync } from 'node:fs';
import { FILE_BOUNDS, FileError, readOptionalText } from '@lamella/syscall';

/** Configuration that may be there: what is missing, or not for us to read, says nothing. */
function ifThere<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (['ENOENT', 'EACCES', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** @throws FileError for a file that is not regular, or too large */
export function readOptional(file: string): string | undefined {
  try {
    return readOptionalText(file, FILE_BOUNDS.credentials);
  } catch (error) {
    if (error instanceof FileError && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EACCES') return undefined;
    throw error;
  }
}

export const listOptional = (directory: string): readonly string[] => ifThere(() => readdirSync(directory)) ?? [];

/** The same in a directory of many files, where one that cannot be read does not matter. */
export function readIfRegular(file: string): string | undefined {
  try {
    return readOptionalText(file, FILE_BOUNDS.credentials);
  } catch (error) {
    if (error instanceof FileError) return undefined;
    throw error;
  }
}
