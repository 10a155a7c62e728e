import { readFileSync } from 'node:fs';

/** What a file of the kernel's says of a cgroup or a process; nothing when that is gone, or has no such file here. */
export function readKernelFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENODEV', 'EACCES', 'EOPNOTSUPP', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}
