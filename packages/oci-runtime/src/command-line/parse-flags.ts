import { OciError } from '../errors/oci-error.js';

/** A flag of a command. */
export interface Flag {
  readonly type: 'boolean' | 'string';
  /** The letter of its short form. */
  readonly short?: string;
  /** Whether it may be given more than once. */
  readonly multiple?: boolean;
  /** Its help, in one line. */
  readonly about: string;
  /** The placeholder for its value in the help. */
  readonly value?: string;
}
export type Flags = Readonly<Record<string, Flag>>;
export type Values = Readonly<Record<string, string | boolean | readonly string[]>>;

/**
 * Parses flags as runc does: `--name value`, `--name=value`, `-name value`, `-n value`, `--bool=false`.
 *
 * @param stopEarly whether the first argument ends the flags
 * @throws OciError `USAGE`
 */
export function parseFlags(args: readonly string[], flags: Flags, stopEarly: boolean): { readonly values: Values; readonly rest: string[] } {
  const values: Record<string, string | boolean | string[]> = {};
  let rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    if (arg === '--') {
      rest = rest.concat(args.slice(i + 1));
      break;
    }
    if (arg === '-' || !arg.startsWith('-')) {
      if (stopEarly) {
        rest = rest.concat(args.slice(i));
        break;
      }
      rest.push(arg);
      continue;
    }
    const [, typed = '', given] = /^--?([^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
    const name = typed in flags ? typed : Object.keys(flags).find((each) => flags[each]?.short === typed);
    const flag = name === undefined ? undefined : flags[name];
    if (name === undefined || !flag) throw usageError(`flag provided but not defined: ${arg.split('=')[0]}`);
    if (flag.type === 'boolean') {
      if (given !== undefined && !/^(?:true|false|0|1)$/.test(given)) throw usageError(`invalid boolean value '${given}' for --${name}`);
      values[name] = given === undefined || given === 'true' || given === '1';
      continue;
    }
    const value = given ?? args[++i];
    if (value === undefined) throw usageError(`flag needs an argument: --${name}`);
    values[name] = flag.multiple ? [...((values[name] as string[] | undefined) ?? []), value] : value;
  }
  return { values, rest };
}

export function usageError(message: string): OciError {
  return new OciError({ code: 'USAGE', message, hint: 'See lamella-oci --help.' });
}

/** Returns the value of a flag that takes one; undefined when it was not given. */
export const textFlag = (values: Values, name: string): string | undefined => (typeof values[name] === 'string' ? values[name] : undefined);
/** Returns the values of a flag that may be given more than once. */
export const listFlag = (values: Values, name: string): readonly string[] => (Array.isArray(values[name]) ? values[name] : []);
/** Returns whether a switch was given. */
export const booleanFlag = (values: Values, name: string): boolean => values[name] === true;

/** Returns the value of a flag that takes an integer. @throws OciError `USAGE` */
export function integerFlag(values: Values, name: string): number | undefined {
  const given = textFlag(values, name);
  if (given === undefined) return undefined;
  if (!/^-?\d+$/.test(given)) throw usageError(`invalid value '${given}' for --${name}: use an integer`);
  return Number(given);
}
