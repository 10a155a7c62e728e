import { UsageError } from '../errors/usage-error.js';
import { parseInteger } from './go-values.js';

/** What `--time` says. @throws UsageError */
export function parseSeconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = parseInteger(text);
  if (value === undefined) throw new UsageError(`'${text}' is not a number of seconds`, 'Write -t 10; -1 waits for ever.');
  return value;
}
