import { writeSync } from 'node:fs';

/** Write to stdout, all of it before this returns, also into a pipe that is full for a while. @returns the status of success */
export function print(output: string): number {
  let bytes = Buffer.from(output);
  while (bytes.length)
    try {
      bytes = bytes.subarray(writeSync(1, bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  return 0;
}
