import { visible } from '../text/visible.js';
import { nearestName } from './nearest.js';

/** A problem with an option, which the package turns into its own error. */
export class OptionFault extends Error {
  readonly kind: 'unknown' | 'invalid' | 'missing';
  readonly hint: string;

  constructor(kind: OptionFault['kind'], message: string, hint: string) {
    super(message);
    this.kind = kind;
    this.hint = hint;
  }
}

/**
 * Reads one value: returns what was accepted, a copy where it is an object of options or a list, so that nothing is read twice.
 *
 * @throws OptionFault
 */
export interface Check<T> {
  /** Returns the accepted value. @param at where it is, for the message @throws OptionFault */
  (value: unknown, at: string): T;
  /** The accepted values, for the hint: `a whole number from 1 to 9`. */
  readonly takes: string;
  /** Marks the type, so that a check for one type is not accepted for another. */
  readonly type?: (value: T) => T;
}

/** A check for each property of an interface; the compiler requires exactly those. */
export type Shape<T> = { readonly [K in keyof T]-?: undefined extends T[K] ? Check<Exclude<T[K], undefined>> : RequiredCheck<T[K]> };

/** A check for a required property. */
export type RequiredCheck<T> = Check<T> & { readonly required: true };

/** Returns the check for a required property. */
export function required<T>(check: Check<T>): RequiredCheck<T> {
  return Object.assign((value: unknown, at: string) => check(value, at), { takes: check.takes, required: true as const });
}

/** Returns a check from a predicate. */
export function checkOf<T>(takes: string, accepts: (value: unknown) => boolean): Check<T> {
  return Object.assign(
    (value: unknown, at: string): T => {
      // Node aborts the process for a descriptor of -0.
      if (accepts(value)) return (Object.is(value, -0) ? 0 : value) as T;
      throw new OptionFault('invalid', `${at} is ${shown(value)}`, `It takes ${takes}.`);
    },
    { takes },
  );
}

/** Describes a value in a few words that are safe to print. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return value.length > 60 ? `'${visible(value.slice(0, 60))}…'` : `'${visible(value)}'`;
  if (typeof value === 'bigint') return `${value}n`;
  if (value === null || ['number', 'boolean', 'undefined'].includes(typeof value)) return String(value);
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return `a ${typeof value}`;
}

/** Accepts a string without NUL, which the kernel takes as one word. */
export const text: Check<string> = checkOf('a string without null characters', (value) => typeof value === 'string' && !value.includes('\0'));
/** Accepts a boolean. */
export const flag: Check<boolean> = checkOf('true or false', (value) => typeof value === 'boolean');

/** A check for functions of one type. */
export function functionOf<T>(): Check<T> {
  return checkOf('a function', (value) => typeof value === 'function');
}

/** Accepts a string that is not empty. */
export const word: Check<string> = checkOf('a string that is not empty, without null characters', (value) => {
  return typeof value === 'string' && value !== '' && !value.includes('\0');
});

/** Accepts an absolute path. */
export const absolutePath: Check<string> = checkOf('an absolute path', (value) => typeof value === 'string' && value.startsWith('/') && !value.includes('\0'));

/** Accepts a whole number from `min` to `max`. */
export function whole(least: number, most: number = Number.MAX_SAFE_INTEGER): Check<number> {
  const takes = most === Number.MAX_SAFE_INTEGER ? `a whole number from ${least} up` : `a whole number from ${least} to ${most}`;
  return checkOf(takes, (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most);
}

/** Accepts one of a list of words or numbers. */
export function oneOf<const T extends string | number | boolean>(...values: readonly T[]): Check<T> {
  return checkOf(
    values
      .map((each) => (typeof each === 'string' ? `'${each}'` : String(each)))
      .join(', ')
      .replace(/, ([^,]*)$/, ' or $1'),
    (value) => (values as readonly unknown[]).includes(value),
  );
}

/** Accepts what one of several checks accepts. */
export function either<A, B>(first: Check<A>, second: Check<B>): Check<A | B> {
  const takes = `${first.takes}, or ${second.takes}`;
  return Object.assign(
    (value: unknown, at: string): A | B => {
      try {
        return first(value, at);
      } catch (error) {
        if (!(error instanceof OptionFault)) throw error;
      }
      try {
        return second(value, at);
      } catch (error) {
        // For an object the fault names the wrong property.
        if (!(error instanceof OptionFault) || !error.message.startsWith(`${at} is `)) throw error;
        throw new OptionFault('invalid', `${at} is ${shown(value)}`, `It takes ${takes}.`);
      }
    },
    { takes },
  );
}

/** Accepts a list whose elements a check accepts. */
export function listOf<T>(check: Check<T>): Check<readonly T[]> {
  const takes = `a list, each of ${check.takes}`;
  return Object.assign(
    (value: unknown, at: string): readonly T[] => {
      if (!Array.isArray(value)) throw new OptionFault('invalid', `${at} is ${shown(value)}`, `It takes ${takes}.`);
      return Array.from(value, (each: unknown, i) => check(each, `${at}[${i}]`));
    },
    { takes },
  );
}

/** Accepts undefined, where it has a meaning, or what a check accepts. */
export function maybe<T>(check: Check<T>): Check<T | undefined> {
  return Object.assign((value: unknown, at: string): T | undefined => (value === undefined ? undefined : check(value, at)), {
    takes: `${check.takes}, or undefined`,
  });
}

/** Accepts an instance of a class. */
export function instanceOf<T>(of: abstract new (...args: never[]) => T, takes: string): Check<T> {
  return checkOf(takes, (value) => value instanceof of);
}

/** Accepts a valid Date. */
export const moment: Check<Date> = checkOf('a valid Date', (value) => value instanceof Date && !Number.isNaN(value.getTime()));
/** Accepts an AbortSignal. */
export const abortSignal: Check<AbortSignal> = instanceOf(AbortSignal, 'an AbortSignal');

/** Accepts an object with any keys whose values a check accepts. Undefined values are left out unless the check accepts them. */
export function recordOf<T>(check: Check<T>): Check<Readonly<Record<string, T>>> {
  const takes = `an object, each value of which is ${check.takes}`;
  return Object.assign(
    (value: unknown, at: string): Readonly<Record<string, T>> => {
      if (!isPlain(value)) throw new OptionFault('invalid', `${at} is ${shown(value)}`, `It takes ${takes}.`);
      const found: [string, T][] = [];
      for (const key of keysOf(value, at)) {
        const given = read(value, key, at);
        if (given !== undefined || check.takes.endsWith(', or undefined')) found.push([key, check(given, `${at}.${visible(key)}`)]);
      }
      return Object.fromEntries(found);
    },
    { takes },
  );
}

/** Accepts an object with the properties of a shape and no others. */
export function objectOf<T>(shape: Shape<T>): Check<T> {
  const known = Object.keys(shape);
  const takes = `an object with ${known.join(', ')}`;
  return Object.assign(
    (value: unknown, at: string): T => {
      if (!isPlain(value)) throw new OptionFault('invalid', `${at} is ${shown(value)}`, `It takes ${takes}.`);
      const keys = keysOf(value, at);
      const unknown = keys.find((key) => !known.includes(key));
      if (unknown !== undefined) throw unknownOption(unknown, known, at);
      const found: Record<string, unknown> = {};
      for (const key of known) {
        const check = (shape as Readonly<Record<string, Check<unknown> & { readonly required?: true }>>)[key];
        const given = keys.includes(key) ? read(value, key, at) : undefined;
        if (given !== undefined) found[key] = check?.(given, nameOf(key, at));
        else if (check?.required) throw new OptionFault('missing', `${nameOf(key, at)} is missing`, `It takes ${check.takes}.`);
      }
      return found as T;
    },
    { takes },
  );
}

function nameOf(key: string, at: string): string {
  return at === '' || at.endsWith(')') ? `the option ${key}` : `${at}.${key}`;
}

function unknownOption(key: string, known: readonly string[], at: string): OptionFault {
  const meant = nearestName(key, known);
  const where = at === '' ? '' : at.endsWith(')') ? ` of ${at}` : ` in ${at}`;
  return new OptionFault(
    'unknown',
    `there is no option '${visible(key)}'${where}`,
    meant === undefined ? `Known are ${known.join(', ')}.` : `Did you mean ${meant}? Known are ${known.join(', ')}.`,
  );
}

/** Returns whether a value is a plain object: not a list, a function, or an instance of a class of Node or the language. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return false;
  return Object.prototype.toString.call(value) === '[object Object]';
}

/** Returns the keys of an object and its prototypes, because options may come from `Object.create(defaults)`. */
function keysOf(value: object, at: string): string[] {
  const keys: string[] = [];
  try {
    for (const key in value) keys.push(key);
  } catch (cause) {
    throw unreadable(at, cause);
  }
  return keys;
}

/** Reads a property once and checks it. */
function read(value: object, key: string, at: string): unknown {
  try {
    return (value as Record<string, unknown>)[key];
  } catch (cause) {
    throw unreadable(nameOf(visible(key), at), cause);
  }
}

function unreadable(at: string, cause: unknown): OptionFault {
  return Object.assign(new OptionFault('invalid', `${at || 'an option'} cannot be read: its getter throws`, 'Give a value.'), { cause });
}
