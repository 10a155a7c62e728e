import { readdirSync, readFileSync } from 'node:fs';

/** Configuration that may be there: what is missing, or not for us to read, says nothing. */
function ifThere<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (['ENOENT', 'EACCES', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

export const readOptional = (file: string): string | undefined => ifThere(() => readFileSync(file, 'utf8'));

export const listOptional = (directory: string): readonly string[] => ifThere(() => readdirSync(directory)) ?? [];
