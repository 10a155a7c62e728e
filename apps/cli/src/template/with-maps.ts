import type { Value } from './values.js';

/**
 * Returns what is known of something for a template. What lies at the paths, and below them, are maps: what is in them is up to users, and
 * what is not in them is no mistake. All else is a struct.
 *
 * @param paths names with dots between
 */
export function withMaps(value: Readonly<Record<string, unknown>>, paths: readonly string[]): Value {
  const convert = (of: unknown, at: string, inMap: boolean): Value => {
    if (Array.isArray(of)) return of.map((each) => convert(each, at, inMap));
    if (typeof of !== 'object' || of === null) return of;
    const isMap = inMap || paths.includes(at);
    const members = Object.entries(of).map(([key, each]): [string, Value] => [key, convert(each, at ? `${at}.${key}` : key, isMap)]);
    return isMap ? new Map(members) : Object.fromEntries(members);
  };
  return convert(value, '', false);
}
