import { parse } from '@oclif/core/parser';
import { nearest } from '../nearest.js';
import { tlsVerifyWords } from '../tls-verify-words.js';
import { UsageError } from '../usage-error.js';
import { RUN_FLAGS, type RunFlags } from './run-flags.js';

/** A command line of `run`, taken apart. */
export interface RunCommandLine {
  readonly flags: RunFlags;
  readonly image: string;
  readonly args: readonly string[];
}

const HINT = 'lamella run [FLAGS] IMAGE [COMMAND [ARG…]]; see lamella run --help';

/**
 * Take `[FLAGS] IMAGE [COMMAND [ARG…]]` apart. Everything after IMAGE is the command's, whatever
 * it looks like.
 *
 * @throws UsageError
 */
export async function parseRun(argv: readonly string[]): Promise<RunCommandLine> {
  const { own, rest } = split(argv);
  let flags: RunFlags;
  try {
    ({ flags } = (await parse(tlsVerifyWords(own), { flags: RUN_FLAGS, strict: true })) as unknown as { flags: RunFlags });
  } catch (error) {
    throw usage(error);
  }
  const [image, ...args] = rest;
  if (image === undefined) throw new UsageError('no image was named', HINT);
  return { flags: { ...DEFAULTS, ...flags }, image, args };
}

const DEFAULTS = {
  interactive: false,
  tty: false,
  privileged: false,
  'read-only': false,
  init: false,
  explain: false,
  keep: false,
  rm: false,
  json: false,
  debug: false,
};

const byName = new Map<string, { readonly type: string }>(Object.entries(RUN_FLAGS));
const byChar = new Map(
  Object.values(RUN_FLAGS).flatMap((flag) => ('char' in flag && flag.char ? [[flag.char as string, flag as { readonly type: string }] as const] : [])),
);

/** Where our flags end: at the first word that is neither a flag nor a flag's value. */
function split(argv: readonly string[]): { own: string[]; rest: string[] } {
  let i = 0;
  for (; i < argv.length; i++) {
    const word = argv[i] as string;
    if (word === '--') return { own: argv.slice(0, i), rest: argv.slice(i + 1) };
    if (!word.startsWith('-') || word === '-') break;
    if (takesNext(word)) i++;
  }
  return { own: argv.slice(0, i), rest: argv.slice(i) };
}

/** The words of a command line that are ours: flags and their values. */
export function ownWords(argv: readonly string[]): readonly string[] {
  return split(argv).own;
}

/** Whether a flag's value is the next word. */
function takesNext(word: string): boolean {
  if (word.startsWith('--')) return !word.includes('=') && byName.get(word.slice(2))?.type === 'option';
  // `-itu USER`: only the last of a cluster can want more, and `-uUSER` has it already.
  for (let i = 1; i < word.length; i++) if (byChar.get(word[i] as string)?.type === 'option') return i === word.length - 1;
  return false;
}

function usage(error: unknown): UsageError {
  const { flags, message } = error as { flags?: readonly string[]; message: string };
  const [unknown] = flags ?? [];
  if (unknown) {
    const meant = nearest(unknown.replace(/^-+/, '').replace(/=.*/, ''), [...byName.keys()]);
    return new UsageError(`there is no flag ${unknown}`, meant ? `Did you mean --${meant}? See lamella run --help.` : HINT);
  }
  return new UsageError(message.replace(/\nSee more help with --help$/, ''), HINT);
}
