import { readdir } from 'node:fs/promises';

/** The names in a directory of a store; none when nothing was ever put there, or something else has its name ({@link checkStore} tells of that). */
export async function entriesOf(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}
