import { OciError } from '../errors/oci-error.js';

/** One flag: whether it takes a value, and its short form. */
interface Flag {
  readonly type: 'boolean' | 'string';
  readonly short?: string;
  readonly multiple?: boolean;
  readonly about: string;
  /** What its value is called in the help. */
  readonly value?: string;
}
export type Flags = Readonly<Record<string, Flag>>;
export type Values = Readonly<Record<string, string | boolean | readonly string[]>>;

/**
 * Flags as runc takes them: `--name value`, `--name=value`, `-name value`, `-n value`, `--bool=false`; with
 * `stopEarly` the first word that is none ends them, and what follows is somebody else's.
 *
 * @throws OciError `USAGE`
 */
export function parseFlags(args: readonly string[], flags: Flags, stopEarly: boolean): { readonly values: Values; readonly rest: string[] } {
  const values: Record<string, string | boolean | string[]> = {};
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    if (arg === '--') {
      rest.push(...args.slice(i + 1));
      break;
    }
    if (arg === '-' || !arg.startsWith('-')) {
      if (stopEarly) {
        rest.push(...args.slice(i));
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
      if (given !== undefined && !/^(?:true|false|0|1)$/.test(given)) throw usageError(`--${name} is on or off, not '${given}'`);
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
  return new OciError({ code: 'USAGE', message, hint: 'lamella-oci --help' });
}

export const textFlag = (values: Values, name: string): string | undefined => (typeof values[name] === 'string' ? values[name] : undefined);
export const listFlag = (values: Values, name: string): readonly string[] => (Array.isArray(values[name]) ? values[name] : []);
export const booleanFlag = (values: Values, name: string): boolean => values[name] === true;

/** A whole number. @throws OciError `USAGE` */
export function integerFlag(values: Values, name: string): number | undefined {
  const given = textFlag(values, name);
  if (given === undefined) return undefined;
  if (!/^-?\d+$/.test(given)) throw usageError(`--${name} takes a whole number, not '${given}'`);
  return Number(given);
}
