import { isatty } from 'node:tty';
import { UsageError } from '../errors/usage-error.js';

/**
 * Refuse to type into a container's terminal what does not come from one: two terminals would echo it, and neither knows its end.
 *
 * @param hint what to type in its place
 * @throws UsageError
 */
export function requireTty(hint: string): void {
  if (!isatty(0)) throw new UsageError('the input device is not a TTY, and -i and -t want one together', hint);
}

/** Whether nobody can type into a terminal: it is not given our stdin, and that is none. What reads there would wait for ever. */
export function hasNoInput(interactive: boolean): boolean {
  return !interactive && !isatty(0);
}
