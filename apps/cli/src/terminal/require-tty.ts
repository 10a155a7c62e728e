import { isatty } from 'node:tty';
import { UsageError } from '../errors/usage-error.js';

/**
 * Refuses input for a container's terminal that does not come from a terminal: two terminals would echo it, and its end would be lost.
 *
 * @param hint the command to use instead
 * @throws UsageError
 */
export function requireTty(hint: string): void {
  if (!isatty(0)) throw new UsageError('the input device is not a TTY', hint);
}

/** Whether a container's terminal gets no input, neither from stdin nor from a terminal. Its readers see the end of the file. */
export function hasNoInput(interactive: boolean): boolean {
  return !interactive && !isatty(0);
}
