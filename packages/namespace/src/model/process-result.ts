import type { Readable, Writable } from 'node:stream';
import type { FileForm } from '../stdio/forms.js';
import type { ProcessEnd } from './process-end.js';
import type { ProcessOptions } from './process-options.js';

type OutputName = 'stdout' | 'stderr' | 'all';
type Alias = { readonly stdout: 'fd1'; readonly stderr: 'fd2'; readonly all: 'all' };
type Option<O, K extends string> = O extends { readonly [P in K]?: infer V } ? (K extends keyof O ? V : undefined) : undefined;

/** The value of an option for one output. */
type For<V, N extends OutputName> = V extends object
  ? N extends keyof V
    ? V[N]
    : Alias[N] extends keyof V
      ? V[Alias[N]]
      : N extends 'all'
        ? undefined
        : 'all' extends keyof V
          ? V['all']
          : undefined
  : V;

type Triple<S> = S extends string ? readonly [S, S, S] : S extends readonly unknown[] ? S : readonly [undefined, undefined, undefined];
type Index = { readonly stdin: 0; readonly stdout: 1; readonly stderr: 2 };
/** The form of one stream; `unknown` of options of which nothing is known. */
type FormOf<O, N extends keyof Index> =
  Option<O, N> extends undefined ? (Triple<Option<O, 'stdio'>> extends { readonly [P in Index[N]]: infer F } ? F : undefined) : Option<O, N>;

type IsOutputPiped<F> = F extends undefined | 'pipe' | FileForm | URL
  ? true
  : F extends readonly (infer E)[]
    ? true extends IsOutputPiped<E>
      ? true
      : false
    : false;

type Text<O, N extends OutputName> = Option<O, 'encoding'> extends infer E ? (E extends 'buffer' ? Uint8Array : Lines<For<Option<O, 'lines'>, N>>) : never;
type Lines<L> = (true extends L ? string[] : never) | ([L] extends [true] ? never : string);
type Collected<O, N extends OutputName> = For<Option<O, 'buffer'>, N> extends infer B ? (B extends false ? undefined : Text<O, N>) : never;

/** `Yes` for an output that is piped, `No` for another one; `all` is there when it was asked for. */
type WhenPiped<O extends ProcessOptions, N extends OutputName, Yes, No> = N extends 'all'
  ? Option<O, 'all'> extends infer A
    ? A extends true
      ? Yes
      : undefined
    : never
  : N extends keyof Index
    ? FormOf<O, N> extends infer F
      ? IsOutputPiped<F> extends infer P
        ? P extends true
          ? Yes
          : No
        : never
      : never
    : never;

/** What a result has of one output. */
export type OutputContent<O extends ProcessOptions, N extends OutputName> = WhenPiped<O, N, Collected<O, N>, undefined>;

/** A stream of an output: there when it was asked for. */
export type OutputStream<O extends ProcessOptions, N extends OutputName> = WhenPiped<O, N, Readable, null>;

type IsInputPiped<F> = F extends undefined | 'ignore' | 'inherit' | number ? false : true;

/** The stream of stdin: there when something is written to it. */
export type InputStream<O extends ProcessOptions> =
  Option<O, 'input'> extends undefined
    ? Option<O, 'inputFile'> extends undefined
      ? FormOf<O, 'stdin'> extends infer F
        ? IsInputPiped<F> extends infer P
          ? P extends true
            ? Writable
            : null
          : never
        : never
      : Writable | null
    : Writable | null;

/** What streams a command has, and what is collected of them. */
export interface Streaming {
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  readonly all: Readable | undefined;
  /** What results have of stdout, stderr and both. */
  readonly out: Output;
  readonly err: Output;
  readonly both: Output;
}

type Output = string | string[] | Uint8Array | undefined;

/** The same by the options of a command. */
export type StreamingOf<O extends ProcessOptions> = {
  readonly stdin: InputStream<O>;
  readonly stdout: OutputStream<O, 'stdout'>;
  readonly stderr: OutputStream<O, 'stderr'>;
  readonly all: OutputStream<O, 'all'>;
  readonly out: OutputContent<O, 'stdout'>;
  readonly err: OutputContent<O, 'stderr'>;
  readonly both: OutputContent<O, 'all'>;
};

/** How a command ended, in the words of execa's result. One that failed is an error too: see {@link CommandError}. */
export interface ProcessResult<S extends Streaming = Streaming> extends ProcessEnd {
  /** The command and its arguments, with spaces between them. */
  readonly command: string;
  /** The same, quoted and safe to print. */
  readonly escapedCommand: string;
  /** What that signal is for people. */
  readonly signalDescription: string | undefined;
  /** What it wrote, its last newline stripped; undefined when that went elsewhere. */
  readonly stdout: S['out'];
  readonly stderr: S['err'];
  /** Both, as they came; with the option `all`. */
  readonly all: S['both'];
  /** stdin (undefined), stdout and stderr. */
  readonly stdio: readonly [undefined, S['out'], S['err']];
  /** Milliseconds from the start of the program to the end of the release. */
  readonly durationMs: number;
  /** Anything but exit status 0, and a stream that failed. */
  readonly failed: boolean;
  readonly timedOut: boolean;
  readonly isCanceled: boolean;
  /** A signal ended it. */
  readonly isTerminated: boolean;
  readonly isMaxBuffer: boolean;
  /** It was killed after `forceKillAfterDelay`. */
  readonly isForcefullyTerminated: boolean;
  /** What could not be released; `sweep` tries again. */
  readonly releaseFailures: readonly Error[];
  /** Of one that failed: what happened, the command, and what it wrote. */
  readonly message?: string;
  /** The same without what it wrote. */
  readonly shortMessage?: string;
  /** The message of the cause. */
  readonly originalMessage?: string | undefined;
  /** What a stream failed with, or the reason of a cancelling. */
  readonly cause?: unknown;
  readonly code?: string;
}
