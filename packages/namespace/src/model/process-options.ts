import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { shapeOf, take } from '@lamella/syscall';
import { isReadable, OUTPUT_OPTION, type OutputOption, STDIN_OPTION, STDIO_OPTION, type StdinOption, type StdioForms } from '../stdio/forms.js';

/** How output is returned: as text, as bytes (`'buffer'`), or as bytes that are written as text. */
export type Encoding = 'utf8' | 'utf16le' | 'buffer' | 'hex' | 'base64' | 'base64url' | 'latin1' | 'ascii';

/** One value for all outputs, or one for each. `fd1` is stdout, and `fd2` stderr. */
export type PerOutput<T> =
  | T
  | {
      readonly stdout?: T | undefined;
      readonly stderr?: T | undefined;
      readonly all?: T | undefined;
      readonly fd1?: T | undefined;
      readonly fd2?: T | undefined;
    };

/**
 * How a command is run, and what is returned of it. The names and their meaning are execa's; the defaults that differ are those of `stdin` and `reject`.
 */
export interface ProcessOptions {
  /** What it reads. Default `'ignore'`: nothing. */
  readonly stdin?: StdinOption;
  /** Where it writes. Default `'pipe'`: to a stream of this process, which is collected for the result. */
  readonly stdout?: OutputOption;
  /** Where it writes its errors. Default `'pipe'`, as for `stdout`. */
  readonly stderr?: OutputOption;
  /** The three at once. */
  readonly stdio?: StdioForms | undefined;
  /** Written to its stdin. A stream that fails makes the result fail. */
  readonly input?: string | Uint8Array | Readable | undefined;
  /** A file that is written to its stdin. */
  readonly inputFile?: string | URL | undefined;
  /** Whether there are `all` streams and results: stdout and stderr as they came. Default false. */
  readonly all?: boolean | undefined;
  /** Whether output is collected for the result. Without it a stream that nobody reads holds the command back. Default true. */
  readonly buffer?: PerOutput<boolean> | undefined;
  /** Whether results are lists of lines. Not with binary encodings. Default false. */
  readonly lines?: PerOutput<boolean> | undefined;
  /** Whether the last newline of a result, or that of each line, is left out. Default true. */
  readonly stripFinalNewline?: PerOutput<boolean> | undefined;
  /** How much is collected of one output: characters, bytes with `encoding: 'buffer'`, or lines. More is an error of the stream and of the result. Default 100 million. */
  readonly maxBuffer?: PerOutput<number> | undefined;
  /** Default `'utf8'`. */
  readonly encoding?: Encoding | undefined;
  /**
   * With true everything but exit status 0 rejects, with false nothing that happens to a command that has begun. By default cancelling, and a stream that
   * fails, reject; how the command ended, a timeout and `maxBuffer` are a result, which `failed` tells apart.
   */
  readonly reject?: boolean | undefined;
  /** Milliseconds after which it is terminated. Default 0: never. */
  readonly timeout?: number | undefined;
  /** Aborting terminates it. */
  readonly cancelSignal?: AbortSignal | undefined;
  /** What terminates it: by `timeout`, `cancelSignal` and `kill()`. Default SIGTERM. */
  readonly killSignal?: NodeJS.Signals | number | undefined;
  /** Milliseconds after `killSignal` until everything in the container is killed. True is 5000, the default. False is never, except for a command whose streams have failed. */
  readonly forceKillAfterDelay?: number | boolean | undefined;
  /** Told when a job ({@link ProcessSpec.job}) was stopped, by which signal; it goes on when it gets SIGCONT. */
  readonly onStopped?: ((signal: number) => void) | undefined;
}

/** setTimeout(3) of Node takes no more, and fires at once. */
const LONGEST = 2 ** 31 - 1;

/** A check for one value or one for each output. */
function perOutput<T>(check: take.Check<T>): take.Check<PerOutput<T>> {
  const shape = { stdout: check, stderr: check, all: check, fd1: check, fd2: check };
  const each = take.objectOf(shape as never) as take.Check<PerOutput<T>>;
  return Object.assign((value: unknown, at: string): PerOutput<T> => (typeof value === 'object' && value !== null ? each(value, at) : check(value, at)), {
    takes: `${check.takes}; or an object with that for stdout, stderr and all`,
  });
}

const SIGNALS = Object.keys(constants.signals) as NodeJS.Signals[];
/** A signal that ends something: by name, or number. 0 is none. */
export const SIGNAL: take.Check<NodeJS.Signals | number> = take.checkOf("the name of a signal, such as 'SIGTERM', or its number", (value) =>
  typeof value === 'string' ? SIGNALS.includes(value as NodeJS.Signals) : Number.isInteger(value) && (value as number) > 0 && (value as number) <= 64,
);
const INPUT: take.Check<string | Uint8Array | Readable> = take.checkOf(
  'a string, a Uint8Array or a Readable',
  (value) => typeof value === 'string' || value instanceof Uint8Array || isReadable(value),
);
const FILE: take.Check<string | URL> = take.checkOf('a path or a file URL', (value) =>
  typeof value === 'string' ? value !== '' && !value.includes('\0') : value instanceof URL && value.protocol === 'file:',
);
const AMOUNT: take.Check<number> = take.checkOf(
  'a whole number from 1 up, or Infinity',
  (value) => value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && (value as number) >= 1),
);

/** The shape of {@link ProcessOptions}. Packages that extend the options use it. */
export const processOptionsShape: take.Shape<ProcessOptions> = {
  stdin: STDIN_OPTION,
  stdout: OUTPUT_OPTION,
  stderr: OUTPUT_OPTION,
  stdio: STDIO_OPTION,
  input: INPUT,
  inputFile: FILE,
  all: take.flag,
  buffer: perOutput(take.flag),
  lines: perOutput(take.flag),
  stripFinalNewline: perOutput(take.flag),
  maxBuffer: perOutput(AMOUNT),
  encoding: take.oneOf('utf8', 'utf16le', 'buffer', 'hex', 'base64', 'base64url', 'latin1', 'ascii'),
  reject: take.flag,
  timeout: take.checkOf<number>(
    `a number of milliseconds from 0 to ${LONGEST}`,
    (value) => Number.isFinite(value) && (value as number) >= 0 && (value as number) <= LONGEST,
  ),
  cancelSignal: take.abortSignal,
  killSignal: SIGNAL,
  forceKillAfterDelay: take.checkOf<number | boolean>(
    `true, false, or a number of milliseconds from 0 to ${LONGEST}`,
    (value) => typeof value === 'boolean' || (Number.isFinite(value) && (value as number) >= 0 && (value as number) <= LONGEST),
  ),
  onStopped: take.functionOf<(signal: number) => void>(),
};

/** Accepts {@link ProcessOptions}. */
export const PROCESS_OPTIONS: take.Check<ProcessOptions> = shapeOf<ProcessOptions>(() => processOptionsShape);

/** Returns an option's value for one output. For the stream of both outputs it is the value of either. */
export function forOutput<T>(option: PerOutput<T> | undefined, output: 'stdout' | 'stderr' | 'all', byDefault: T): T {
  if (option === undefined) return byDefault;
  if (typeof option !== 'object' || option === null) return option as T;
  const { stdout, stderr, all, fd1, fd2 } = option as { stdout?: T; stderr?: T; all?: T; fd1?: T; fd2?: T };
  const [out, err] = [stdout ?? fd1 ?? all ?? byDefault, stderr ?? fd2 ?? all ?? byDefault];
  if (output !== 'all') return output === 'stdout' ? out : err;
  return all ?? byDefault;
}
