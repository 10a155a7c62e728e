import type { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { StdioOption } from '@lamella/syscall';
import { NamespaceError } from '../model/namespace-error.js';
import { type Encoding, forOutput, type ProcessOptions } from '../model/process-options.js';
import { checkFiles } from './check-files.js';
import { ChunkLog, type LogReader, type LogSource } from './chunk-log.js';
import { type Form, formOf, type OutputForm, type StdinForm } from './forms.js';
import { feed, type Input } from './input.js';
import { LineSplitter, stripBytes, stripText } from './lines.js';
import { carry } from './output.js';

/** What was collected of one output. */
export type Content = string | string[] | Uint8Array;

/** What an option of one output is. */
interface OutputSettings {
  readonly name: 'stdout' | 'stderr' | 'all';
  readonly collected: boolean;
  readonly lines: boolean;
  readonly strip: boolean;
  readonly limit: number;
  readonly encoding: Encoding;
}

const DEFAULT_LIMIT = 100_000_000;

/** What is decided about the three streams of a command before it is started. */
export class StdioPlan {
  readonly options: ProcessOptions;
  readonly stdin: Form<StdinForm>;
  readonly stdout: Form<OutputForm>;
  readonly stderr: Form<OutputForm>;
  readonly inputs: readonly Input[];

  /**
   * @param held the process is there already, with pipes for all three
   * @throws NamespaceError `OPTION_INVALID` for options that contradict each other; `INPUT_FAILED`, `OUTPUT_FAILED` for files that cannot be opened
   */
  constructor(options: ProcessOptions, { held = false }: { readonly held?: boolean } = {}) {
    this.options = options;
    const { stdio, input, inputFile, lines, encoding = 'utf8' } = options;
    const [stdin, stdout, stderr] = typeof stdio === 'string' ? [stdio, stdio, stdio] : (stdio ?? []);
    for (const name of ['stdin', 'stdout', 'stderr'] as const)
      if (stdio !== undefined && options[name] !== undefined) throw contradiction(`${name} and stdio`, `Give ${name}, or all of them by stdio.`);
    const gives = input !== undefined || inputFile !== undefined;
    const own = options.stdin ?? stdin;
    if (gives && (own === 'ignore' || own === 'inherit' || typeof own === 'number'))
      throw contradiction(
        `${input === undefined ? 'inputFile' : 'input'} and stdin: ${typeof own === 'number' ? own : `'${own}'`}`,
        "Leave stdin out, or make it 'pipe'.",
      );
    if (['stdout', 'stderr', 'all'].some((name) => forOutput(lines, name as 'all', false)) && !['utf8', 'utf16le'].includes(encoding))
      throw contradiction(`lines and encoding: '${encoding}'`, 'Lines are text: leave the encoding out.');
    this.stdin = formOf<StdinForm>(own, gives ? 'pipe' : 'ignore', held);
    this.stdout = formOf<OutputForm>(options.stdout ?? stdout, 'pipe', held);
    this.stderr = formOf<OutputForm>(options.stderr ?? stderr, 'pipe', held);
    this.inputs = [
      ...(input === undefined ? [] : [input]),
      ...(inputFile === undefined ? [] : [typeof inputFile === 'string' ? { file: inputFile } : inputFile]),
      ...(this.stdin.ends as readonly Exclude<StdinForm, 'pipe' | 'ignore'>[]),
    ];
    checkFiles(this.inputs, [...this.stdout.ends, ...this.stderr.ends]);
  }

  /** What the kernel gives the process. */
  get native(): readonly [StdioOption, StdioOption, StdioOption] {
    return [this.stdin.native, this.stdout.native, this.stderr.native];
  }

  settings(name: OutputSettings['name']): OutputSettings {
    const { buffer, lines, stripFinalNewline, maxBuffer, encoding = 'utf8' } = this.options;
    const piped = name === 'all' ? this.stdout.piped || this.stderr.piped : this[name].piped;
    const limit =
      name === 'all'
        ? forOutput(maxBuffer, 'stdout', DEFAULT_LIMIT) + forOutput(maxBuffer, 'stderr', DEFAULT_LIMIT)
        : forOutput(maxBuffer, name, DEFAULT_LIMIT);
    return {
      name,
      collected: piped && forOutput(buffer, name, true),
      lines: forOutput(lines, name, false),
      strip: forOutput(stripFinalNewline, name, true),
      limit,
      encoding,
    };
  }
}

function contradiction(what: string, hint: string): NamespaceError {
  return new NamespaceError({ code: 'OPTION_INVALID', message: `${what} do not go together`, hint });
}

/** More was written than `maxBuffer` allows. */
export interface Overflow {
  readonly output: 'stdout' | 'stderr';
  readonly limit: number;
  readonly unit: 'characters' | 'bytes' | 'lines';
}

/** The streams of a process that runs, and what is collected of them. */
export class Streams implements LogSource {
  readonly stdin: Writable | null;
  readonly stdout: LogReader | null;
  readonly stderr: LogReader | null;
  readonly all: LogReader | undefined;
  /** Why the result fails although the command may not: the first thing that happened to a stream. */
  failure: unknown;
  overflow: Overflow | undefined;
  readonly #plan: StdioPlan;
  readonly #logs = new Map<'stdout' | 'stderr' | 'all', ChunkLog>();
  readonly #sources = new Map<ChunkLog, readonly Readable[]>();
  readonly #done: Promise<unknown>[] = [];
  readonly #held = new Map<Readable, Set<ChunkLog>>();
  readonly #onFailure: () => void;
  readonly #stdin: Writable | null;
  /** Streams that were ended because their reader left. */
  readonly #left = new Set<Readable>();
  #awaited = false;

  constructor(
    plan: StdioPlan,
    native: { readonly stdin: Writable | null; readonly stdout: Readable | null; readonly stderr: Readable | null },
    onFailure: () => void,
  ) {
    this.#plan = plan;
    this.#onFailure = onFailure;
    const { stdin } = native;
    this.#stdin = stdin;
    this.stdin = plan.stdin.piped || (plan.inputs.length > 0 && plan.stdin.native === 'pipe') ? stdin : null;
    const fail = (error: unknown): void => this.#fail(error);
    if (stdin && plan.inputs.length) this.#done.push(feed(plan.inputs, stdin, fail));
    // Nobody writes: an empty stdin, not one that never ends.
    else if (stdin && plan.stdin.native !== 'pipe') stdin.on('error', () => undefined).end();
    // A write after the reader has gone fails in its callback; the process did not fail.
    else stdin?.on('error', () => stdin.destroy());

    const merged = (['stdout', 'stderr'] as const).flatMap((name) => (plan[name].native === 'pipe' && native[name] ? [native[name]] : []));
    const all = plan.options.all ? this.#log('all', ...merged) : undefined;
    this.stdout = this.#open('stdout', native.stdout, all);
    this.stderr = this.#open('stderr', native.stderr, all);
    this.all = all?.first;
    if (all) void Promise.all(merged.map(closed)).then(() => all.end(this.#endOf('all')));
  }

  #open(name: 'stdout' | 'stderr', source: Readable | null, all: ChunkLog | undefined): LogReader | null {
    if (!source) return null;
    const form = this.#plan[name];
    if (form.native !== 'pipe') {
      source.resume();
      return null;
    }
    const log = this.#log(name, source);
    const logs = all ? [log, all] : [log];
    const settings = this.#plan.settings(name);
    const measure = settings.collected ? measureOf(settings) : undefined;
    source.on('data', (chunk: Buffer) => {
      for (const each of logs) each.write(chunk);
      if (!measure || this.overflow?.output === name || measure(chunk) <= settings.limit) return;
      this.#overflow(name, settings, source);
    });
    source.on('error', (error) => this.#fail(error));
    this.#done.push(closed(source).then(() => log.end(this.#endOf(name))));
    const own = name === 'stdout' ? process.stdout : process.stderr;
    for (const target of form.ends)
      this.#done.push(
        carry(log, target as Exclude<OutputForm, 'pipe' | 'ignore'>, own).catch((error: unknown) => {
          // The end of the log is known already.
          if (!(error instanceof NamespaceError)) this.#fail(error);
        }),
      );
    // A stream that the user has not asked for holds nothing back.
    if (!form.piped) log.withoutFirst();
    return form.piped ? log.first : null;
  }

  #log(name: 'stdout' | 'stderr' | 'all', ...sources: readonly Readable[]): ChunkLog {
    const log = new ChunkLog(this, { keep: this.#plan.settings(name).collected });
    this.#logs.set(name, log);
    this.#sources.set(log, [...sources]);
    return log;
  }

  #overflow(output: 'stdout' | 'stderr', settings: OutputSettings, source: Readable): void {
    const { limit } = settings;
    this.overflow ??= { output, limit, unit: settings.lines ? 'lines' : settings.encoding === 'buffer' ? 'bytes' : 'characters' };
    this.#fail(maxBufferError(this.overflow));
    this.#logs.get(output)?.end(this.#endOf(output));
    this.#logs.get('all')?.end(this.#endOf('all'));
    source.destroy();
  }

  /** How a stream ends: with an error where it was cut. */
  #endOf(name: 'stdout' | 'stderr' | 'all'): Error | undefined {
    const { overflow } = this;
    if (overflow && (name === 'all' || name === overflow.output)) return maxBufferError(overflow);
    const log = this.#logs.get(name);
    return log && this.#sources.get(log)?.some((source) => this.#left.has(source)) ? leftOutput(name) : undefined;
  }

  #fail(error: unknown): void {
    this.failure ??= error;
    this.#onFailure();
  }

  /** @see LogSource */
  hold(log: ChunkLog, held: boolean): void {
    for (const source of this.#sources.get(log) ?? []) {
      const holders = this.#held.get(source) ?? new Set();
      this.#held.set(source, holders);
      if (held) holders.add(log);
      else holders.delete(log);
      if (holders.size) source.pause();
      else if (source.isPaused()) source.resume();
    }
  }

  /** @see LogSource */
  abandon(log: ChunkLog, error: Error | null): void {
    // A loop over it ended early: the rest is not wanted.
    if (error && error.name !== 'AbortError') this.#fail(error);
    for (const source of this.#sources.get(log) ?? []) {
      const others = [...this.#sources].some(([other, sources]) => other !== log && other.isRead && sources.includes(source));
      if (others) continue;
      this.#left.add(source);
      source.destroy();
    }
  }

  /** @see LogSource */
  isWanted(log: ChunkLog): boolean {
    if (this.#awaited) return true;
    const own = this.#sources.get(log) ?? [];
    return [...this.#sources].some(([other, sources]) => other !== log && other.isRead && sources.some((source) => own.includes(source)));
  }

  /** A caller waits for the end: streams without readers must not prevent it. */
  await(): void {
    if (this.#awaited) return;
    this.#awaited = true;
    // A reader that begins in the same moment is in time.
    setImmediate(() => {
      for (const log of this.#logs.values()) log.settle();
    });
  }

  /** Nobody is going to read any more. */
  abort(): void {
    this.#awaited = true;
    for (const sources of this.#sources.values()) for (const source of sources) source.destroy();
  }

  /** Resolves when all output is where it belongs. */
  async end(): Promise<void> {
    // It is read no more, and the writer is to know that.
    this.#stdin?.destroy();
    await Promise.all(this.#done);
  }

  /** What was collected; undefined of what was not. */
  content(name: 'stdout' | 'stderr' | 'all'): Content | undefined {
    const log = this.#logs.get(name);
    const settings = this.#plan.settings(name);
    if (!log || !settings.collected) return undefined;
    return contentOf(Buffer.concat(log.chunks), settings, this.overflow !== undefined);
  }

  /** Another reader of an output, from its beginning. @throws NamespaceError `OPTION_INVALID` if this process does not have that stream */
  readable(from: 'stdout' | 'stderr' | 'all'): Readable {
    const log = this.#logs.get(from);
    const piped = from === 'all' ? log : this.#plan[from].piped ? log : undefined;
    if (!piped)
      throw new NamespaceError({
        code: 'OPTION_INVALID',
        message: `this process does not have ${from} as a stream`,
        hint: from === 'all' ? 'Give the option all: true.' : `Leave the option ${from} out, or make it 'pipe'.`,
      });
    return piped.reader();
  }
}

/** Resolves when a stream brings no more. */
function closed(stream: Readable): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (stream.closed) resolve();
  else stream.once('close', resolve);
  return promise;
}

function maxBufferError({ output, limit, unit }: Overflow): NamespaceError {
  return new NamespaceError({
    code: 'MAX_BUFFER',
    message: `${output} was larger than ${limit} ${unit}`,
    hint: 'Raise maxBuffer, or read the stream with buffer: false.',
  });
}

function leftOutput(name: string): NamespaceError {
  return new NamespaceError({
    code: 'OUTPUT_DROPPED',
    message: `this is not all of ${name}: a reader of it left before its end, which ended it`,
    hint: 'Begin all readers before one of them leaves: readable().',
  });
}

/** Counts what has come, in the unit of the limit. */
function measureOf({ lines, encoding }: OutputSettings): (chunk: Buffer) => number {
  let total = 0;
  if (lines) {
    let open = false;
    return (chunk) => {
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) total++;
      open = chunk.at(-1) !== 10;
      return total + (open ? 1 : 0);
    };
  }
  if (encoding === 'buffer') return (chunk) => (total += chunk.length);
  const decoder = new StringDecoder(encoding);
  return (chunk) => (total += decoder.write(chunk).length);
}

function contentOf(bytes: Buffer, { lines, strip, limit, encoding }: OutputSettings, cut: boolean): Content {
  if (encoding === 'buffer') {
    // A separate buffer, not a part of Node's pool.
    const own = Uint8Array.from(cut ? bytes.subarray(0, limit) : bytes);
    return strip ? stripBytes(own) : own;
  }
  const text = bytes.toString(encoding);
  if (!lines) {
    const whole = cut ? text.slice(0, limit) : text;
    return strip ? stripText(whole) : whole;
  }
  const splitter = new LineSplitter(strip);
  const all = [...splitter.add(text), ...splitter.end()];
  return cut ? all.slice(0, limit) : all;
}
