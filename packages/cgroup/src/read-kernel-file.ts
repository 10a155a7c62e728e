import { readFileSync } from 'node:fs';

/** Returns the content of a file of cgroupfs or procfs. Returns '' if the cgroup, the process or the file does not exist. */
export function readKernelFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENODEV', 'EACCES', 'EOPNOTSUPP', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}
