import type { Value } from './values.js';

/**
 * Returns data for a template. The values at and below the paths become maps, because users choose their keys and an unknown key is no
 * error. Everything else stays a struct.
 *
 * @param paths names separated by dots
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
