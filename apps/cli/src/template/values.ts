import { visible, visibleJson } from '@lamella/syscall';
import { TemplateError } from './template-error.js';

/**
 * Values of a template. An object is a struct of Go: an unknown field is an error. A `Map` is a map: an unknown key is nil. Functions are
 * methods. Printing escapes strings, but not {@link Shown}.
 */
export type Value = unknown;

/** Text of the template itself, or text that is escaped already. */
export class Shown {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Returns the text of a string value of either type; undefined for other values. */
export function stringOf(value: Value): string | undefined {
  if (value instanceof Shown) return value.text;
  return typeof value === 'string' ? value : undefined;
}

/** Returns the text of a string value, safe to print. */
export function shown(value: string | Shown): string {
  return value instanceof Shown ? value.text : visible(value);
}

/** Returns Go's name for the type of a value. */
export function typeName(value: Value): string {
  if (value === undefined || value === null) return 'nil';
  if (stringOf(value) !== undefined) return 'string';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  if (typeof value === 'boolean') return 'bool';
  if (Array.isArray(value)) return 'slice';
  if (value instanceof Map) return 'map';
  return typeof value === 'function' ? 'func' : 'struct';
}

/** Whether Go considers a value true: not nil, zero or empty. */
export function isTrue(value: Value): boolean {
  if (value === undefined || value === null || value === false || value === 0) return false;
  const text = stringOf(value);
  if (text !== undefined) return text !== '';
  if (Array.isArray(value)) return value.length > 0;
  return value instanceof Map ? value.size > 0 : true;
}

/** Formats a value with `%v`, or with `%+v` if `named`. The result is safe to print. */
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
  if (typeof value === 'function') throw new TemplateError("can't print a method without its arguments");
  return `{${membersOf(value as object)
    .map(([name, each]) => (named ? `${visible(name)}:${formatted(each, named)}` : formatted(each, named)))
    .join(' ')}}`;
}

/** Formats a number as Go's %v. */
function formatNumber(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e21 ? value.toFixed(0) : String(value).replace(/e([+-])(\d)$/, 'e$10$2');
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Returns the fields of a struct without its methods. */
function membersOf(value: object): [string, Value][] {
  return Object.entries(value).filter(([, each]) => typeof each !== 'function');
}

/** Returns a value as JSON, safe to print. */
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
