import { Readable } from 'node:stream';
import { NamespaceError } from '../model/namespace-error.js';

/** Bytes that wait for a reader before the writer is held back. */
const MOST_WAITING = 65_536;

/** Where a log comes from. */
export interface LogSource {
  /** The slowest reader has so much to read already: write no more; and, with false, go on. */
  hold(log: ChunkLog, held: boolean): void;
  /** Nobody wants more of it. */
  abandon(log: ChunkLog, error: Error | null): void;
  /** Whether another log of the same source has a reader, or a caller waits for its end: then a log without readers must not hold it back. */
  isWanted(log: ChunkLog): boolean;
}

/**
 * What a stream has brought so far. Each reader starts at its beginning, however late it comes. With `keep` all of it stays. Without it, a chunk
 * goes when every reader has had it. The writer is held back when the slowest reader, or the first future one, has too much before it.
 */
export class ChunkLog {
  readonly #source: LogSource;
  readonly #keep: boolean;
  readonly #readers = new Set<LogReader>();
  #chunks: Buffer[] = [];
  /** How many chunks went before the first of `#chunks`. */
  #gone = 0;
  #bytes = 0;
  #ended = false;
  #error: Error | undefined;
  #held = false;
  #dropped = false;
  /** What users have as `stdout`; it is there before anybody reads it. */
  readonly first: LogReader;

  constructor(source: LogSource, { keep }: { readonly keep: boolean }) {
    this.#source = source;
    this.#keep = keep;
    this.first = this.reader();
  }

  /** Everything there was. Only with `keep`. */
  get chunks(): readonly Buffer[] {
    return this.#chunks;
  }

  /** Whether anybody has begun to read. */
  get isRead(): boolean {
    return [...this.#readers].some((reader) => reader.isOpen);
  }

  /** Another reader, from the beginning. */
  reader(): LogReader {
    const reader = new LogReader({
      next: () => this.#next(reader),
      left: (error) => this.#left(reader, error),
      looked: () => this.#settle(),
    });
    if (this.#gone || this.#dropped) reader.destroy(droppedOutput());
    else this.#readers.add(reader);
    return reader;
  }

  /** Adds a chunk, and wakes the readers. */
  write(chunk: Buffer): void {
    if (this.#ended || (this.#dropped && !this.#keep)) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    for (const reader of this.#readers) reader.wake();
    this.#settle();
  }

  /** Ends the log. Readers get the error, if there is one, after the last chunk. */
  end(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    for (const reader of this.#readers) reader.wake();
  }

  /** The user does not get a stream of it: only other readers count. */
  withoutFirst(): void {
    this.#readers.delete(this.first);
    this.#settle();
  }

  /** Looks again at who has to be waited for. */
  settle(): void {
    this.#settle();
  }

  /** Drops what has not been read: a later reader gets `OUTPUT_DROPPED`. */
  drop(): void {
    if (this.#keep || this.#dropped) return;
    this.#dropped = true;
    this.#forget((reader) => !reader.isOpen);
    this.#settle();
  }

  #forget(whom: (reader: LogReader) => boolean): void {
    for (const reader of [...this.#readers].filter(whom)) {
      this.#readers.delete(reader);
      reader.destroy(droppedOutput());
    }
  }

  #next(reader: LogReader): Buffer | 'later' | 'end' | Error {
    const chunk = this.#chunks[reader.at - this.#gone];
    if (chunk) {
      reader.at++;
      reader.bytes += chunk.length;
      return chunk;
    }
    if (this.#ended) return this.#error ?? 'end';
    return 'later';
  }

  #left(reader: LogReader, error: Error | null): void {
    if (!this.#readers.delete(reader)) return;
    // A reader that has seen enough leaves the rest to the others, to one that is asked for but has not begun, too.
    const others = [...this.#readers].some((each) => each !== this.first || each.isOpen);
    if (!this.#ended && !others) this.#source.abandon(this, error);
    this.#settle();
  }

  #settle(): void {
    if (this.#keep) return;
    if (!this.isRead && this.#waiting() > MOST_WAITING && this.#source.isWanted(this)) {
      this.drop();
      return;
    }
    const least = Math.min(
      ...[...this.#readers].filter((reader) => reader.isOpen || !this.isRead).map((reader) => reader.at),
      this.#gone + this.#chunks.length,
    );
    if (least > this.#gone) {
      this.#chunks.splice(0, least - this.#gone);
      this.#gone = least;
      this.#forget((reader) => reader.at < least);
    }
    const held = !this.#ended && this.#waiting() > MOST_WAITING;
    if (held === this.#held) return;
    this.#held = held;
    this.#source.hold(this, held);
  }

  /** Bytes that the slowest reader has before it. */
  #waiting(): number {
    const readers = [...this.#readers].filter((reader) => reader.isOpen || !this.isRead);
    return readers.length ? this.#bytes - Math.min(...readers.map((reader) => reader.bytes)) : 0;
  }
}

function droppedOutput(): NamespaceError {
  return new NamespaceError({
    code: 'OUTPUT_DROPPED',
    message: 'earlier output of this stream is gone: nothing read it while a caller waited for the result or read another stream',
    hint: 'Read the stream before you await the result, or keep its output: buffer: true.',
  });
}

interface LogView {
  next(): Buffer | 'later' | 'end' | Error;
  left(error: Error | null): void;
  looked(): void;
}

/** One reader of a {@link ChunkLog}. */
export class LogReader extends Readable {
  /** Which chunk comes next. */
  at = 0;
  bytes = 0;
  readonly #view: LogView;
  #wants = false;
  #open = false;
  #failure: Error | undefined;

  constructor(view: LogView) {
    super();
    this.#view = view;
    // Readers get the error. A stream without readers must not end the program by it.
    this.on('error', () => undefined);
  }

  /** Whether the stream has been read, and is not destroyed. */
  get isOpen(): boolean {
    return this.#open && !this.destroyed;
  }

  override _read(): void {
    this.#open = true;
    this.#wants = true;
    this.wake();
  }

  /** There is more to read, or an end. */
  wake(): void {
    let found: ReturnType<LogView['next']> | undefined;
    while (this.#wants && !this.destroyed) {
      found = this.#view.next();
      if (found === 'later') break;
      if (found === 'end') this.#wants = false;
      if (found instanceof Error) {
        this.#wants = false;
        this.#failure = found;
        this.#fail();
        return;
      }
      // Pushing may ask for more at once.
      this.#wants = false;
      if (this.push(found === 'end' ? null : found)) this.#wants = found !== 'end';
      if (found === 'end') return;
    }
    if (found !== undefined) this.#view.looked();
  }

  override read(size?: number): Buffer | null {
    const chunk = super.read(size) as Buffer | null;
    this.#fail();
    return chunk;
  }

  /** Destroying a stream throws away what is in it: what came before the failure is read first. */
  #fail(): void {
    const failure = this.#failure;
    if (failure && this.readableLength === 0 && !this.destroyed) setImmediate(() => this.destroy(failure));
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#view.left(error);
    done(error);
  }
}
