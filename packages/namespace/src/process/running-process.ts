import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { type Program, shapeOf, take } from '@lamella/syscall';
import { describeSignal, type Ended, escapeCommand, resultOf } from '../model/command-error.js';
import { NamespaceError } from '../model/namespace-error.js';
import { processEndOf } from '../model/process-end.js';
import type { ProcessResult, Streaming } from '../model/process-result.js';
import { read } from '../model/spec-shapes.js';
import { LineSplitter } from '../stdio/lines.js';
import { type StdioPlan, Streams } from '../stdio/streams.js';
import { CommandEnd } from './command-end.js';
import type { StartedProgram } from './start-program.js';
import { WatchedPromise } from './watched-promise.js';

/** Which output is read. */
export interface ReadableOptions {
  /** Default `'stdout'`; `'all'` with the option of that name. */
  readonly from?: 'stdout' | 'stderr' | 'all' | undefined;
}

/** How lines are split. */
export interface IterableOptions extends ReadableOptions {
  /** Whether lines keep their newlines. Default false. */
  readonly preserveNewlines?: boolean | undefined;
}

const FROM = take.oneOf('stdout', 'stderr', 'all');
const READABLE = shapeOf<ReadableOptions>(() => ({ from: FROM }));
const ITERABLE = shapeOf<IterableOptions>(() => ({ from: FROM, preserveNewlines: take.flag }));

/** The streams and the control of a command that runs. */
export interface CommandProcess<S extends Streaming = Streaming> {
  /** There when it was asked for: `stdin: 'pipe'`. */
  readonly stdin: S['stdin'];
  /** From its first byte on, however late it is read. With `buffer: false` a reader that is slow holds the command back. */
  readonly stdout: S['stdout'];
  readonly stderr: S['stderr'];
  /** Both, as they came: with `all: true`. */
  readonly all: S['all'];
  /** Another stream of an output, from its first byte on. With `buffer: false` only while nothing of it is gone: `OUTPUT_DROPPED`. */
  readable(options?: ReadableOptions): Readable;
  /** The lines of an output; at the end it fails as `result` does. */
  iterable(options?: IterableOptions): AsyncGenerator<string, void>;
  /** The lines of its stdout. */
  [Symbol.asyncIterator](): AsyncGenerator<string, void>;
  /**
   * Sends it a signal: by default the one of `killSignal`, after which it is killed when `forceKillAfterDelay` is over. An error becomes the cause of the result.
   *
   * @returns whether it was there to get one
   * @throws NamespaceError `SIGNAL_UNKNOWN`
   */
  kill(signal?: NodeJS.Signals | number | Error, error?: Error): boolean;
}

/** A process in a container, from its start to the release of all it used. */
export interface ContainerProcess<S extends Streaming = Streaming> extends CommandProcess<S> {
  /** The host's pid of the container's init, once it has executed; undefined if it never does. */
  readonly started: Promise<number | undefined>;
  readonly result: Promise<ProcessResult<S>>;
  /** The same for callers that make another result of it: a command that failed does not reject, and unread output is not dropped. See {@link settle}. */
  readonly outcome: Promise<ProcessResult<S>>;
  /** Makes `result` of what was made of `outcome`. */
  settle<R extends ProcessResult<S>>(outcome: Promise<R>): Promise<R>;
  /** Change the size of its terminal. */
  resize(rows: number, columns: number): void;
  /** Tells the monitor that the user's terminal is this process's again, after `onStopped`. */
  foreground(): void;
  /** Resolves when the user left it with the keys for that: it goes on, and `result` stays pending. */
  readonly detached: Promise<void>;
  /** Lets a process that was held go on, with these ops as the rest of it. */
  go(program?: Program): void;
  /** Lets go of a process whose monitor was detached; it has to have started. */
  release(): void;
  /** Nobody is going to read what it writes. */
  abort(): void;
}

/** See a process to its end. */
export function watch<S extends Streaming>(
  { running, explain, detached }: StartedProgram,
  args: readonly string[],
  plan: StdioPlan,
  began: number,
): ContainerProcess<S> {
  const { options } = plan;
  const ending = new CommandEnd(options, (signo) => running.control({ op: 'signal', signo }));
  const streams = new Streams(plan, running, () => ending.endSoon());

  const finish = async (): Promise<ProcessResult<S>> => {
    try {
      const { exited, releaseFailures } = await running.result;
      ending.over();
      await streams.end();
      const exitStatus = exited?.status ?? 0;
      const signal = exited && processEndOf(exited).signal;
      const [stdout, stderr] = [streams.content('stdout'), streams.content('stderr')];
      const { timedOut, isCanceled, isForcefullyTerminated } = ending;
      const cause = streams.failure ?? ending.cause;
      const ended: Ended = {
        command: args.join(' '),
        escapedCommand: escapeCommand(args),
        exitCode: signal ? undefined : exitStatus,
        signal,
        signalDescription: signal && describeSignal(signal),
        stdout,
        stderr,
        all: streams.content('all'),
        stdio: [undefined, stdout, stderr],
        durationMs: performance.now() - began,
        failed: exitStatus !== 0 || signal !== undefined || timedOut || isCanceled || cause !== undefined,
        timedOut,
        isCanceled,
        isTerminated: signal !== undefined,
        isMaxBuffer: streams.overflow !== undefined,
        isForcefullyTerminated: isForcefullyTerminated && signal === 'SIGKILL',
        releaseFailures,
      };
      return resultOf(ended, { overflow: streams.overflow, cause, options }) as unknown as ProcessResult<S>;
    } catch (error) {
      streams.abort();
      throw explain(error, args);
    } finally {
      ending.over();
    }
  };
  const outcome = finish();
  // A caller that awaits `started` alone must not be ended by a rejection of the result that it never looks at.
  outcome.catch(() => undefined);

  const settle = <R extends ProcessResult<S>>(made: Promise<R>): Promise<R> =>
    WatchedPromise.of(
      made.then((result) => {
        const rejects = options.reject ?? (result.isCanceled || (streams.failure !== undefined && !result.isMaxBuffer));
        if (result.failed && rejects) throw result;
        return result;
      }),
      () => streams.await(),
    );
  const result = settle(outcome);

  const iterable = async function* (given: IterableOptions = {}): AsyncGenerator<string, void> {
    const { from = 'stdout', preserveNewlines = false } = read('iterable(options)', given, ITERABLE);
    const splitter = new LineSplitter(!preserveNewlines);
    const decoder = new StringDecoder(options.encoding === 'utf16le' ? 'utf16le' : 'utf8');
    const reader = streams.readable(from);
    try {
      for await (const chunk of reader) yield* splitter.add(decoder.write(chunk as Buffer));
      yield* splitter.add(decoder.end());
      yield* splitter.end();
    } finally {
      reader.destroy();
    }
    await result;
  };
  return {
    stdin: streams.stdin as S['stdin'],
    stdout: streams.stdout as S['stdout'],
    stderr: streams.stderr as S['stderr'],
    all: streams.all as S['all'],
    readable: (given = {}) => streams.readable(read('readable(options)', given, READABLE).from ?? 'stdout'),
    iterable,
    [Symbol.asyncIterator]: () => iterable(),
    started: running.started,
    result,
    outcome,
    settle,
    kill(signal, error) {
      const [name, cause] = signal instanceof Error ? [undefined, signal] : [signal, error];
      if (cause !== undefined && !(cause instanceof Error))
        throw new NamespaceError({ code: 'OPTION_INVALID', message: `the reason of kill is ${take.shown(cause)}`, hint: 'It takes an Error.' });
      if (cause) ending.cause ??= cause;
      return ending.kill(name);
    },
    resize: (rows, columns) => running.control({ op: 'resize', rows, columns }),
    foreground: () => running.control({ op: 'foreground' }),
    detached,
    go: (program = []) => running.control({ op: 'go', program }),
    release: () => running.release(),
    abort: () => streams.abort(),
  };
}
