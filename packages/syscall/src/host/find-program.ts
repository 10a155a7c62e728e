import { accessSync, constants } from 'node:fs';
import path from 'node:path';

/** Directories of set-user-id programs, which the PATH of an ordinary user or a service may lack. */
const ALSO = ['/usr/bin', '/usr/sbin', '/bin', '/sbin'];

/** Returns the absolute path of a program in the PATH or in the directories of the system, undefined if there is none. */
export function findProgram(name: string): string | undefined {
  for (const directory of [...(process.env.PATH ?? '').split(':').filter(Boolean), ...ALSO]) {
    const file = path.resolve(directory, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch (error) {
      if (!['ENOENT', 'EACCES', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return undefined;
}
