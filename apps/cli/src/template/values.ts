import { visible, visibleJson } from '@lamella/syscall';
import { TemplateError } from './template-error.js';

/**
 * Values of a template. What Go has as a struct is an object: another field than its own is a mistake. A `Map` is a map: what is not in it is
 * nothing. Functions are methods. Strings come from outside and are escaped where they are printed; {@link Shown} is what is printed as it is.
 */
export type Value = unknown;

/** Text that was written in the template, or made of such and of escaped values. */
export class Shown {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The text of a string value, of whichever type; undefined for any other value. */
export function stringOf(value: Value): string | undefined {
  if (value instanceof Shown) return value.text;
  return typeof value === 'string' ? value : undefined;
}

/** The same text, safe to print. */
export function shown(value: string | Shown): string {
  return value instanceof Shown ? value.text : visible(value);
}

/** What Go calls a value. */
export function typeName(value: Value): string {
  if (value === undefined || value === null) return 'nil';
  if (stringOf(value) !== undefined) return 'string';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  if (typeof value === 'boolean') return 'bool';
  if (Array.isArray(value)) return 'slice';
  if (value instanceof Map) return 'map';
  return typeof value === 'function' ? 'func' : 'struct';
}

/** Whether Go takes it for true: not what is nothing, zero, or empty. */
export function isTrue(value: Value): boolean {
  if (value === undefined || value === null || value === false || value === 0) return false;
  const text = stringOf(value);
  if (text !== undefined) return text !== '';
  if (Array.isArray(value)) return value.length > 0;
  return value instanceof Map ? value.size > 0 : true;
}

/** How fmt prints a value by `%v`, or with `named` by `%+v`; safe to print. */
export function formatted(value: Value, named: boolean = false): string {
  if (value === undefined || value === null) return '<nil>';
  if (typeof value === 'string' || value instanceof Shown) return shown(value);
  if (typeof value === 'number') return formatNumber(value);
  if (typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return `[${value.map((each) => formatted(each, named)).join(' ')}]`;
  if (value instanceof Map)
    return `map[${[...value]
      .sort(([a], [b]) => compare(String(a), String(b)))
      .map(([key, each]) => `${formatted(key, named)}:${formatted(each, named)}`)
      .join(' ')}]`;
  if (typeof value === 'function') throw new TemplateError('a method cannot be printed without its arguments');
  return `{${membersOf(value as object)
    .map(([name, each]) => (named ? `${visible(name)}:${formatted(each, named)}` : formatted(each, named)))
    .join(' ')}}`;
}

/** A number as Go's %v: large ones and fractions in the shortest form. */
function formatNumber(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e21 ? value.toFixed(0) : String(value).replace(/e([+-])(\d)$/, 'e$10$2');
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The fields of a struct that are values. */
function membersOf(value: object): [string, Value][] {
  return Object.entries(value).filter(([, each]) => typeof each !== 'function');
}

/** A value as JSON, safe to print. */
export function toJSON(value: Value): Shown {
  const plain = (each: Value): unknown => {
    if (each instanceof Shown) return each.text;
    if (each instanceof Map) return Object.fromEntries([...each].map(([key, member]) => [key, plain(member)]));
    if (Array.isArray(each)) return each.map(plain);
    if (typeof each === 'object' && each !== null) return Object.fromEntries(membersOf(each).map(([key, member]) => [key, plain(member)]));
    return each;
  };
  return new Shown(visibleJson(JSON.stringify(plain(value) ?? null)));
}
