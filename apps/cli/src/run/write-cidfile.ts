import { writeFileSync } from 'node:fs';
import { UsageError } from '../errors/usage-error.js';

/** Writes the id of a container to the file of `--cidfile`, which must not exist. @throws UsageError */
export function writeCidfile(file: string, id: string): void {
  try {
    writeFileSync(file, id, { flag: 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(
      `cannot write the container ID to ${file}: ${code}`,
      code === 'EEXIST' ? 'Remove the file, or choose another one.' : 'Check the path.',
    );
  }
}
