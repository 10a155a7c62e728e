import { parse } from '@oclif/core/parser';
import { nearest } from '../nearest.js';
import { tlsVerifyWords } from '../tls-verify-words.js';
import { UsageError, usageOf } from '../usage-error.js';
import { RUN_FLAGS, type RunFlags } from './run-flags.js';
import { shieldValues, unshieldValues } from './shielded-values.js';

/** A command line of `run`, taken apart. */
export interface RunCommandLine {
  readonly flags: RunFlags;
  /** Nothing with `--on`, whose container has one. */
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
  const { flags, rest } = await parseLeading<RunFlags>(argv, RUN_FLAGS, HINT);
  if (flags.on !== undefined) return { flags: { ...DEFAULTS, ...flags }, image: '', args: rest };
  const [image, ...args] = rest;
  if (image === undefined) throw new UsageError('no image was named', HINT);
  return { flags: { ...DEFAULTS, ...flags }, image, args };
}

/**
 * The flags at the beginning of a command line, and all from the first word on that is none.
 *
 * @throws UsageError
 */
export async function parseLeading<Flags>(
  argv: readonly string[],
  known: FlagTable,
  hint: string,
): Promise<{ readonly flags: Flags; readonly rest: readonly string[] }> {
  const { own, rest } = split(argv, known);
  try {
    const words = shieldValues(
      tlsVerifyWords(own),
      (word) => takesNext(word, known),
      (name) => known[name]?.type === 'option',
    );
    const { flags } = (await parse(words, { flags: known as never, strict: true })) as unknown as { flags: Flags };
    return { flags: unshieldValues(flags), rest };
  } catch (error) {
    throw usage(error, known, hint);
  }
}

type FlagTable = Readonly<Record<string, { readonly type: string; readonly char?: string | undefined }>>;

const DEFAULTS = {
  interactive: false,
  tty: false,
  privileged: false,
  detach: false,
  'read-only': false,
  init: false,
  explain: false,
  keep: false,
  rm: false,
  json: false,
  debug: false,
};

/** Where our flags end: at the first word that is neither a flag nor a flag's value. */
function split(argv: readonly string[], known: FlagTable): { own: string[]; rest: string[] } {
  let i = 0;
  for (; i < argv.length; i++) {
    const word = argv[i] as string;
    if (word === '--') return { own: argv.slice(0, i), rest: argv.slice(i + 1) };
    if (!word.startsWith('-') || word === '-') break;
    if (takesNext(word, known)) i++;
  }
  return { own: argv.slice(0, i), rest: argv.slice(i) };
}

/** The words of a command line that are flags of ours: their values are not among them. */
export function flagWords(argv: readonly string[], known: FlagTable): readonly string[] {
  let isValue = false;
  return split(argv, known).own.filter((word) => {
    const isFlag = !isValue;
    isValue = isFlag && takesNext(word, known);
    return isFlag;
  });
}

/** Whether a flag's value is the next word. */
function takesNext(word: string, known: FlagTable): boolean {
  if (!word.startsWith('-')) return false;
  if (word.startsWith('--')) return !word.includes('=') && known[word.slice(2)]?.type === 'option';
  // `-itu USER`: only the last of a cluster can want more, and `-uUSER` has it already.
  for (let i = 1; i < word.length; i++) if (Object.values(known).some(({ char, type }) => char === word[i] && type === 'option')) return i === word.length - 1;
  return false;
}

function usage(error: unknown, known: FlagTable, hint: string): UsageError {
  const { flags, message } = error as { flags?: readonly string[]; message: string };
  const [unknown] = flags ?? [];
  if (unknown) {
    const meant = nearest(unknown.replace(/^-+/, '').replace(/=.*/, ''), Object.keys(known));
    return new UsageError(`there is no flag ${unknown}`, meant ? `Did you mean --${meant}? ${hint}` : hint);
  }
  return usageOf(message, hint);
}
