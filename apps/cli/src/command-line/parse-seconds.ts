import { UsageError } from '../errors/usage-error.js';
import { parseInteger } from './go-values.js';

/** Parses the value of `--time`. @throws UsageError */
export function parseSeconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = parseInteger(text);
  if (value === undefined) throw new UsageError(`invalid value '${text}' for --time`, 'Use seconds, such as -t 10, or -1 for no limit.');
  return value;
}
