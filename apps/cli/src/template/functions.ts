import { sprintf } from './printf.js';
import { TemplateError } from './template-error.js';
import { compare, formatted, isTrue, Shown, shown, stringOf, toJSON, typeName, type Value } from './values.js';

type TemplateFunction = (...args: readonly Value[]) => Value;

/** The functions of text/template (funcs.go), and those of Docker. `and` and `or` are in execute.ts, because they evaluate lazily. */
export const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  and: () => undefined,
  or: () => undefined,
  not: (...args) => !isTrue(only('not', args)),
  len: (...args) => length(only('len', args)),
  index: (of, ...keys) => keys.reduce(index, of),
  slice: (of, ...bounds) => slice(of, bounds),
  print: (...args) => new Shown(print(args)),
  println: (...args) => new Shown(`${args.map((each) => formatted(each)).join(' ')}\n`),
  printf: (format, ...args) => new Shown(sprintf(text('printf', format), args)),
  html: (...args) => replaced(args, HTML),
  js: (...args) =>
    print(args).replace(/[\\'"<>&=]|\p{Cc}/gu, (c) =>
      /[\\'"]/.test(c) ? `\\${c}` : `\\u${(c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`,
    ),
  urlquery: (...args) =>
    encodeURIComponent(print(args))
      .replaceAll('%20', '+')
      .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`),
  call: (method, ...args) => {
    if (typeof method !== 'function') throw new TemplateError(`call of a ${typeName(method)}: not a function`);
    return (method as TemplateFunction)(...args);
  },
  eq: (first, ...others) => {
    if (!others.length) throw new TemplateError('missing argument for comparison');
    return others.some((each) => isEqual(first, each));
  },
  ne: (...args) => !isEqual(...pair('ne', args)),
  lt: (...args) => isLess(...pair('lt', args)),
  le: (...args) => !isLess(...(pair('le', args).reverse() as [Value, Value])),
  gt: (...args) => isLess(...(pair('gt', args).reverse() as [Value, Value])),
  ge: (...args) => !isLess(...pair('ge', args)),

  json: (...args) => toJSON(only('json', args)),
  lower: (...args) => text('lower', only('lower', args)).toLowerCase(),
  upper: (...args) => text('upper', only('upper', args)).toUpperCase(),
  title: (...args) =>
    text('title', only('title', args)).replace(/(^|[^\p{L}\p{N}_'])(\p{L})/gu, (_, before: string, letter: string) => before + letter.toUpperCase()),
  split: (...args) => {
    const [whole, separator] = pair('split', args).map((each) => text('split', each)) as [string, string];
    return separator === '' ? [...whole] : whole.split(separator);
  },
  join: (...args) => {
    const [list, separator] = pair('join', args);
    if (!Array.isArray(list)) throw new TemplateError(`join of a ${typeName(list)}: not a list`);
    const between = text('join', separator);
    return new Shown(list.map((each) => shown(each instanceof Shown ? each : text('join', each))).join(separator instanceof Shown ? between : shown(between)));
  },
  pad: (...args) => {
    const [source, before, after] = [args[0], number('pad', args[1]), number('pad', args[2])];
    const padded = text('pad', source);
    return padded && `${' '.repeat(Math.max(0, before))}${padded}${' '.repeat(Math.max(0, after))}`;
  },
  truncate: (...args) => {
    const [source, limit] = pair('truncate', args);
    return [...text('truncate', source)].slice(0, Math.max(0, number('truncate', limit))).join('');
  },
};

/** Functions for the header line, which print a header unchanged. */
export const HEADER_FUNCTIONS: typeof FUNCTIONS = {
  ...FUNCTIONS,
  ...Object.fromEntries(['json', 'title', 'lower', 'upper', 'truncate'].map((name) => [name, (value: Value) => value])),
};

const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' };

function replaced(args: readonly Value[], by: Readonly<Record<string, string>>): string {
  return print(args).replace(/[&<>"']/g, (found) => by[found] ?? found);
}

/** fmt.Sprint: a space separates two values if neither is a string. */
function print(args: readonly Value[]): string {
  return args.map((each, i) => (i && stringOf(each) === undefined && stringOf(args[i - 1]) === undefined ? ' ' : '') + formatted(each)).join('');
}

function only(name: string, args: readonly Value[]): Value {
  if (args.length !== 1) throw new TemplateError(`wrong number of args for ${name}: want 1 got ${args.length}`);
  return args[0];
}

function pair(name: string, args: readonly Value[]): [Value, Value] {
  if (args.length !== 2) throw new TemplateError(`wrong number of args for ${name}: want 2 got ${args.length}`);
  return [args[0], args[1]];
}

function text(name: string, value: Value): string {
  const found = stringOf(value);
  if (found === undefined) throw new TemplateError(`wrong type for ${name}: want string got ${typeName(value)}`);
  return found;
}

function number(name: string, value: Value): number {
  if (typeof value !== 'number') throw new TemplateError(`wrong type for ${name}: want number got ${typeName(value)}`);
  return value;
}

function length(value: Value): number {
  const string = stringOf(value);
  if (string !== undefined) return Buffer.byteLength(string);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Map) return value.size;
  throw new TemplateError(`len of a ${typeName(value)}`);
}

function index(of: Value, key: Value): Value {
  if (of instanceof Map) {
    const values = [...of.values()];
    // A missing key of a map of strings is the empty string.
    return of.get(stringOf(key) ?? key) ?? (values.every((each) => stringOf(each) !== undefined) ? '' : undefined);
  }
  const string = stringOf(of);
  if (!Array.isArray(of) && string === undefined) throw new TemplateError(`can't index a ${typeName(of)}`);
  const list: readonly Value[] = string === undefined ? (of as readonly Value[]) : [...Buffer.from(string)];
  const at = number('index', key);
  if (!Number.isInteger(at) || at < 0 || at >= list.length) throw new TemplateError(`index out of range: ${at} of ${list.length}`);
  return list[at];
}

function slice(of: Value, bounds: readonly Value[]): Value {
  const string = stringOf(of);
  if (!Array.isArray(of) && string === undefined) throw new TemplateError(`can't slice a ${typeName(of)}`);
  const [from = 0, to = length(of)] = bounds.map((each) => number('slice', each));
  if (!(from >= 0 && from <= to && to <= length(of))) throw new TemplateError(`slice out of range: ${from} to ${to} of ${length(of)}`);
  return string === undefined ? (of as readonly Value[]).slice(from, to) : Buffer.from(string).toString('utf8', from, to);
}

function isEqual(a: Value, b: Value): boolean {
  const [left, right] = [typeName(a), typeName(b)];
  if (left === 'nil' || right === 'nil') return left === right;
  if (!isNumber(left) || !isNumber(right)) {
    if (left !== right) throw new TemplateError(`incompatible types for comparison: ${left} and ${right}`);
    if (!['string', 'bool'].includes(left)) throw new TemplateError(`non-comparable type ${left}`);
  }
  return (stringOf(a) ?? a) === (stringOf(b) ?? b);
}

function isLess(a: Value, b: Value): boolean {
  const [left, right] = [stringOf(a), stringOf(b)];
  if (left !== undefined && right !== undefined) return compare(left, right) < 0;
  if (typeof a === 'number' && typeof b === 'number') return a < b;
  throw new TemplateError(`invalid types for comparison: ${typeName(a)} and ${typeName(b)}`);
}

function isNumber(type: string): boolean {
  return type === 'int' || type === 'float64';
}
