import { UsageError } from '../errors/usage-error.js';

/** The values of `--filter KEY=VALUE` by key. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/**
 * Parses the values of `--filter`. As with Docker an object must match one value of each key, and all labels.
 *
 * @throws UsageError for an unknown key
 */
export function filtersOf(words: readonly string[] = [], known: readonly string[]): Filters {
  const filters = new Map<string, string[]>();
  for (const word of words) {
    // `label!` is another key than `label`.
    const equals = word.indexOf('=');
    const key = (equals < 0 ? word : word.slice(0, equals)).trim().toLowerCase();
    if (equals < 0 || !known.includes(key)) throw new UsageError(`invalid filter '${word}'`, `Use KEY=VALUE with one of ${known.join(', ')}.`);
    filters.set(key, [...(filters.get(key) ?? []), word.slice(equals + 1).trim()]);
  }
  return filters;
}

/** Whether labels include all wanted ones, `KEY` or `KEY=VALUE`. */
export function hasLabels(labels: Readonly<Record<string, string>>, wanted: readonly string[]): boolean {
  return wanted.every((each) => {
    const equals = each.indexOf('=');
    const key = equals < 0 ? each : each.slice(0, equals);
    return Object.hasOwn(labels, key) && (equals < 0 || labels[key] === each.slice(equals + 1));
  });
}

/** Returns the regular expression of a filter, which matches anywhere in a text. @throws UsageError */
export function pattern(text: string): RegExp {
  try {
    // Go's flags at the beginning, (?i), enclose the expression in JavaScript.
    return new RegExp(text.replace(/^\(\?([ims]+)\)(.*)$/s, '(?$1:$2)'), 'u');
  } catch (error) {
    throw new UsageError(`invalid regular expression '${text}': ${(error as Error).message}`, 'Use an expression such as name=^web-[0-9]+$.');
  }
}

/** Checks that each value of a filter is a known one. @throws UsageError */
export function oneOf(key: string, values: readonly string[], known: readonly string[]): readonly string[] {
  const unknown = values.find((each) => !known.includes(each));
  if (unknown !== undefined) throw new UsageError(`invalid value '${unknown}' for the filter ${key}`, `Use one of ${known.join(', ')}.`);
  return values;
}
