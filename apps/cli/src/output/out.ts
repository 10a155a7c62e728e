import { write } from 'node:fs';
import { Writable } from 'node:stream';
import { isatty } from 'node:tty';
import { isTransient, visibleJson, writeAll } from '@lamella/syscall';
import { OutputError } from '../errors/output-error.js';
import { hasColors } from './has-colors.js';
import { printable, type Shown } from './printable.js';

/**
 * One of the two descriptors on which we say something. Nothing else in the CLI writes to them (a lint sees to that), so that an error of
 * writing is one of the command's, and text from outside is escaped.
 *
 * Not `process.stdout`: that reports errors when the command is over, makes a shared pipe non-blocking for everybody, and takes a while to
 * load.
 */
export class Out {
  readonly #fd: 1 | 2;
  #colors: boolean | undefined;

  constructor(fd: 1 | 2) {
    this.#fd = fd;
  }

  get isTerminal(): boolean {
    return isatty(this.#fd);
  }

  /** Returns how large the terminal is now; undefined where there is none, or it does not know. */
  windowSize(): { readonly rows: number; readonly columns: number } | undefined {
    if (!this.isTerminal) return undefined;
    // It asks anew, also after a resize that Node has not seen yet.
    const [columns, rows] = (this.#fd === 1 ? process.stdout : process.stderr).getWindowSize();
    return rows && columns ? { rows, columns } : undefined;
  }

  /**
   * Prints a line. A string is escaped, newlines too.
   *
   * @throws OutputError
   */
  line(value: Shown): void {
    this.#write(`${this.#shown(value)}\n`);
  }

  /** Prints lines at once. @throws OutputError */
  lines(values: readonly Shown[]): void {
    if (values.length) this.#write(`${values.map((each) => this.#shown(each)).join('\n')}\n`);
  }

  /** Prints a question, whose answer comes on the same line. @throws OutputError */
  prompt(value: Shown): void {
    this.#write(this.#shown(value));
  }

  /** Prints a value for programs, in one line unless it is indented. @throws OutputError */
  json(value: unknown, indent?: number): void {
    this.#write(`${visibleJson(JSON.stringify(value, undefined, indent))}\n`);
  }

  /** Writes bytes as they are: a container's own output, or a format that says so. @throws OutputError */
  bytes(content: Uint8Array): void {
    this.#write(content);
  }

  /**
   * Returns a stream of bytes that are written as they are, without blocking this process. Ending it closes nothing; its errors are
   * {@link OutputError}s.
   */
  stream(): Writable {
    const fd = this.#fd;
    const all = (content: Buffer, done: (error?: Error) => void): void =>
      write(fd, content, 0, content.length, null, (error, written) => {
        if (error && !isTransient(error)) return done(new OutputError(error));
        const rest = error ? content : content.subarray(written);
        if (!rest.length) return done();
        if (error) setTimeout(all, 10, rest, done);
        else all(rest, done);
      });
    return new Writable({
      decodeStrings: true,
      write: (chunk: Buffer, _encoding, done) => all(chunk, done),
      writev: (chunks, done) => all(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)), done),
    });
  }

  #shown(value: Shown): string {
    const shown = printable(value);
    if (shown.colored === shown.plain) return shown.plain;
    this.#colors ??= hasColors(this.#fd);
    return this.#colors ? shown.colored : shown.plain;
  }

  #write(content: string | Uint8Array): void {
    try {
      writeAll(this.#fd, content);
    } catch (error) {
      // Where stderr takes nothing there is nowhere left to say so.
      if (this.#fd === 1) throw new OutputError(error);
    }
  }
}

/** Results: what the command was asked for. */
export const stdout: Out = new Out(1);
/** Errors, notes, questions and progress. What cannot be written is lost. */
export const stderr: Out = new Out(2);
