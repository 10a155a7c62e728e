import { UsageError } from '../usage-error.js';

/** What `--time` says. @throws UsageError */
export function seconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^-?\d+$/.test(text)) throw new UsageError(`'${text}' is not a number of seconds`, 'Write -t 10; -1 waits for ever.');
  return Number(text);
}
