import type { RunSpec } from '../../model/run-spec.js';

/** As Docker's `local` driver has them: 100 MB in all. */
const [DEFAULT_SIZE, DEFAULT_FILES] = [20 * 1024 * 1024, 5];

/** Returns how large a file of a container's log may become, in bytes (0: without a bound), and how many there are. */
export function logBounds({ logs: { maxSize, maxFiles } = {} }: Pick<RunSpec, 'logs'>): { readonly maxSize: number; readonly maxFiles: number } {
  // A size alone bounds the whole log: one file of that size, unless a number of files is given, too.
  return { maxSize: maxSize ?? DEFAULT_SIZE, maxFiles: maxFiles ?? (maxSize === undefined ? DEFAULT_FILES : 1) };
}
