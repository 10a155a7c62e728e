import { once } from 'node:events';
import type { Program, StreamedRun } from '@lamella/syscall';
import { type TarHandler, TarReader } from './reader.js';

/** Makes frames of ops from the entries of an archive. */
export interface OpWriter extends TarHandler {
  /** Adds ops that come before the first entry. */
  begin(program: Program): void;
  /** Adds what can be said only at the end. Each step has frames for the interpreter to take before the next one. */
  finish(): Iterable<void>;
  /** Bytes of frames that were not taken yet. */
  readonly pending: number;
  take(): Buffer;
  /** Gives frames back that were sent: their memory serves again. */
  recycle(taken: Buffer): void;
}

/** Data goes in frames no larger than this, in bytes. */
export const DATA_MAX: number = 256 * 1024;
/** Frames waiting for the interpreter, in bytes, before parsing waits too. */
const FRAMES_AHEAD = 2 << 20;

/** Reads an archive, plain by now, and sends what a writer makes of it to an interpreter, as fast as that takes it. */
export class ArchiveFeed {
  readonly reader: TarReader;
  readonly #writer: OpWriter;
  readonly #running: Pick<StreamedRun, 'frames' | 'mapped'>;
  /** Why the interpreter failed. The caller asks for it when something went wrong; before that it does not count as an unhandled rejection. */
  readonly #outcome: Promise<unknown>;

  constructor(writer: OpWriter, running: StreamedRun) {
    this.reader = new TarReader(writer);
    this.#writer = writer;
    this.#running = running;
    this.#outcome = running.result.then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  /** Sends ops that come before the first entry; the first of them may be the one that makes a user namespace. */
  async enter([first, ...rest]: Program): Promise<void> {
    if (first) this.#writer.begin([first]);
    await this.#send();
    await this.#running.mapped;
    this.#writer.begin(rest);
  }

  /** @throws why the interpreter failed; those of {@link TarReader} */
  async write(chunk: Buffer): Promise<void> {
    this.reader.write(chunk);
    await this.#send();
    if (this.#running.frames.destroyed) throw (await this.#outcome) ?? new Error('the interpreter went away');
  }

  /** Sees the interpreter to its end. @throws as {@link write} */
  async end(options: Parameters<TarReader['end']>[0] = {}): Promise<void> {
    this.reader.end(options);
    for (const _ of this.#writer.finish()) await this.#send();
    await this.#send();
    this.#running.frames.end();
    const failure = await this.#outcome;
    if (failure) throw failure;
  }

  /** Ends the interpreter where it is. @returns why it failed; undefined when it did not */
  async abandon(): Promise<unknown> {
    this.#running.frames.destroy();
    return this.#outcome;
  }

  async #send(): Promise<void> {
    const { frames } = this.#running;
    if (!this.#writer.pending || frames.destroyed) return;
    const taken = this.#writer.take();
    frames.write(taken, () => this.#writer.recycle(taken));
    // The outcome reports a pipe that breaks meanwhile.
    if (frames.writableLength > FRAMES_AHEAD) await Promise.race([once(frames, 'drain').catch(() => undefined), this.#outcome]);
  }
}
