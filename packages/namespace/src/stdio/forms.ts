import type { Readable, Writable } from 'node:stream';
import type { ReadableStream, WritableStream } from 'node:stream/web';
import { type StdioOption, take } from '@lamella/syscall';

/** A file to read, or to write. */
export interface FileForm {
  readonly file: string;
  /** Write at its end. Default: what it has is replaced. */
  readonly append?: boolean;
}

/** What a command reads. `'pipe'`: a stream of this process's, to be written by you. A number is a descriptor of this process. */
export type StdinForm =
  | 'pipe'
  | 'ignore'
  | 'inherit'
  | number
  | Readable
  | ReadableStream
  | Uint8Array
  | URL
  | Omit<FileForm, 'append'>
  | AsyncIterable<string | Uint8Array>
  | Iterable<string | Uint8Array>;

/** Where a command writes. `'pipe'`: a stream of this process's, which is collected too. A number is a descriptor of this process. */
export type OutputForm = 'pipe' | 'ignore' | 'inherit' | number | Writable | WritableStream | URL | FileForm;

/** One form, or several that are read one after the other. */
export type StdinOption = StdinForm | undefined | readonly StdinForm[];
/** One form, or several that each get the whole output. */
export type OutputOption = OutputForm | undefined | readonly OutputForm[];

/** The three at once: one word for all, or one form for each. */
export type StdioForms = 'pipe' | 'ignore' | 'inherit' | readonly [StdinOption, OutputOption, OutputOption];

const FILE = take.objectOf<FileForm>({ file: take.required(take.word), append: take.flag });
const words = ['pipe', 'ignore', 'inherit'] as const;
const hasMethod = (value: unknown, ...names: (string | symbol)[]): boolean =>
  typeof value === 'object' && value !== null && names.every((name) => typeof (value as Record<string | symbol, unknown>)[name] === 'function');

export const isReadable = (value: unknown): value is Readable => hasMethod(value, 'on', 'pipe', 'read');
export const isWritable = (value: unknown): value is Writable => hasMethod(value, 'on', 'write', 'end');
export const isWebReadable = (value: unknown): value is ReadableStream => hasMethod(value, 'getReader', 'pipeTo');
const isWebWritable = (value: unknown): value is WritableStream => hasMethod(value, 'getWriter', 'abort');
export const isFileForm = (value: unknown): value is FileForm => typeof value === 'object' && value !== null && Object.hasOwn(value, 'file');
const isIterable = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && (hasMethod(value, Symbol.asyncIterator) || hasMethod(value, Symbol.iterator));
const isDescriptor = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 20;
const isFileUrl = (value: unknown): boolean => value instanceof URL && value.protocol === 'file:';

const BOTH = "'pipe', 'ignore', 'inherit', a descriptor (a number), { file }, a file URL";
const STDIN = `${BOTH}, a Readable, a ReadableStream, a Uint8Array, or an iterable of strings or Uint8Arrays`;
const OUTPUT = `${BOTH}, a Writable, or a WritableStream`;

function formCheck<T>(takes: string, accepts: (value: unknown) => boolean): take.Check<T> {
  const plain = take.checkOf<T>(takes, (value) => words.includes(value as never) || isDescriptor(value) || isFileUrl(value) || accepts(value));
  return Object.assign((value: unknown, at: string): T => (isFileForm(value) ? (FILE(value, at) as T) : plain(value, at)), { takes });
}

const stdinForm = formCheck<StdinForm>(STDIN, (value) => isReadable(value) || isWebReadable(value) || value instanceof Uint8Array || isIterable(value));
const outputForm = formCheck<OutputForm>(OUTPUT, (value) => isWritable(value) || isWebWritable(value));

/** One form, or several for one stream. */
function oneOrMore<T>(form: take.Check<T>, isList: (value: unknown[]) => boolean): take.Check<T | readonly T[]> {
  const list = take.listOf(form);
  return Object.assign(
    (value: unknown, at: string): T | readonly T[] => {
      if (!Array.isArray(value) || !isList(value)) return form(value, at);
      if (!value.length) throw new take.OptionFault('invalid', `${at} is an empty list`, `It takes ${form.takes}.`);
      return list(value, at);
    },
    { takes: `${form.takes}; or a list of these` },
  );
}

export const STDIN_OPTION: take.Check<StdinForm | readonly StdinForm[]> = oneOrMore(stdinForm, () => true);
export const OUTPUT_OPTION: take.Check<OutputForm | readonly OutputForm[]> = oneOrMore(outputForm, () => true);
const TRIPLE: take.Check<readonly [StdinOption, OutputOption, OutputOption]> = Object.assign(
  (value: unknown, at: string): readonly [StdinOption, OutputOption, OutputOption] => {
    if (!Array.isArray(value) || value.length > 3)
      throw new take.OptionFault(
        'invalid',
        `${at} is ${take.shown(value)}`,
        "It takes 'pipe', 'ignore', 'inherit', or a list of three: stdin, stdout, stderr.",
      );
    const [stdin, stdout, stderr] = value as unknown[];
    const output = (each: unknown, i: number): OutputOption => (each === undefined ? undefined : OUTPUT_OPTION(each, `${at}[${i}]`));
    return [stdin === undefined ? undefined : STDIN_OPTION(stdin, `${at}[0]`), output(stdout, 1), output(stderr, 2)];
  },
  { takes: 'a list of three' },
);
export const STDIO_OPTION: take.Check<StdioForms> = Object.assign(
  (value: unknown, at: string): StdioForms => (words.includes(value as never) ? (value as StdioForms) : TRIPLE(value, at)),
  { takes: "'pipe', 'ignore', 'inherit', or a list of three: stdin, stdout, stderr" },
);

/** What the kernel gives a process for one stream, and what this process does at the other end. */
export interface Form<T> {
  readonly native: StdioOption;
  /** The user has a stream of this. */
  readonly piped: boolean;
  /** What this process brings into it, or takes from it to. */
  readonly ends: readonly Exclude<T, 'pipe' | 'ignore'>[];
}

/**
 * Decides about one stream. A single descriptor goes to the process as it is; of several, and of streams, this process carries the data.
 *
 * @param held the process is there already, with a pipe
 */
export function formOf<T extends StdinForm | OutputForm>(option: T | readonly T[] | undefined, byDefault: 'pipe' | 'ignore', held: boolean): Form<T> {
  const forms: readonly (T | 'pipe' | 'ignore')[] = option === undefined ? [byDefault] : Array.isArray(option) ? (option as readonly T[]) : [option as T];
  const [only] = forms;
  if (forms.length === 1 && (only === 'ignore' || (!held && (only === 'inherit' || typeof only === 'number'))))
    return { native: only as StdioOption, piped: false, ends: [] };
  const ends = forms.filter((each): each is Exclude<T, 'pipe' | 'ignore'> => each !== 'pipe' && each !== 'ignore');
  if (!ends.length && !forms.includes('pipe')) return { native: 'ignore', piped: false, ends: [] };
  return { native: 'pipe', piped: forms.some((each) => each === 'pipe' || isFileForm(each) || each instanceof URL), ends };
}
