import { writeFileSync } from 'node:fs';
import { UsageError } from '../errors/usage-error.js';

/** Write a container's id where `--cidfile` says; what is there already is not ours to replace. */
export function writeCidfile(file: string, id: string): void {
  try {
    writeFileSync(file, id, { flag: 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(
      `the id of the container cannot be written to ${file}: ${code}`,
      code === 'EEXIST' ? 'Name a file that is not there.' : 'Check the path.',
    );
  }
}
