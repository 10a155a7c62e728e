import path from 'node:path';
import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    /** Absolute path of a directory that goes with the whole run. */
    readonly runDirectory: string;
  }
}

/** The absolute path of a directory for what outlives the last hook of a file of tests, such as a container of the file. It goes with the run. */
export function outlivingDirectory(name: string): string {
  return path.join(inject('runDirectory'), name);
}
