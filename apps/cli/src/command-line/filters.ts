import { UsageError } from '../errors/usage-error.js';

/** The values of `--filter KEY=VALUE`, by key. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/**
 * Reads the words of `--filter`. Of one key any value may fit, and of each key one has to; of labels all have to, as with Docker.
 *
 * @throws UsageError for a key that is not known
 */
export function filtersOf(words: readonly string[] = [], known: readonly string[]): Filters {
  const filters = new Map<string, string[]>();
  for (const word of words) {
    // `label!=KEY` is a key of its own.
    const equals = word.indexOf('=');
    const key = (equals < 0 ? word : word.slice(0, equals)).trim().toLowerCase();
    if (equals < 0 || !known.includes(key)) throw new UsageError(`'${word}' is not a filter`, `Write KEY=VALUE; known are ${known.join(', ')}.`);
    filters.set(key, [...(filters.get(key) ?? []), word.slice(equals + 1).trim()]);
  }
  return filters;
}

/** Whether labels are all that is asked for, `KEY` or `KEY=VALUE`. */
export function hasLabels(labels: Readonly<Record<string, string>>, wanted: readonly string[]): boolean {
  return wanted.every((each) => {
    const equals = each.indexOf('=');
    const key = equals < 0 ? each : each.slice(0, equals);
    return Object.hasOwn(labels, key) && (equals < 0 || labels[key] === each.slice(equals + 1));
  });
}

/** A pattern as Go and Docker take one: anywhere in the text, unless ^ and $ say otherwise. @throws UsageError */
export function pattern(text: string): RegExp {
  try {
    // What Go has for flags at the beginning is around the whole here.
    return new RegExp(text.replace(/^\(\?([ims]+)\)(.*)$/s, '(?$1:$2)'), 'u');
  } catch (error) {
    throw new UsageError(`'${text}' is not a pattern: ${(error as Error).message}`, 'Write a regular expression: name=^web-[0-9]+$.');
  }
}

/** @throws UsageError */
export function oneOf(key: string, values: readonly string[], known: readonly string[]): readonly string[] {
  const unknown = values.find((each) => !known.includes(each));
  if (unknown !== undefined) throw new UsageError(`'${unknown}' is not a value of the filter ${key}`, `Known are ${known.join(', ')}.`);
  return values;
}
