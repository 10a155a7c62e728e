import { write } from 'node:fs';
import { Writable } from 'node:stream';
import { isatty } from 'node:tty';
import { isTransient, visibleJson, writeAll } from '@lamella/syscall';
import { OutputError } from '../errors/output-error.js';
import { hasColors } from './has-colors.js';
import { printable, type Shown } from './printable.js';

/**
 * Standard output or standard error. All output of the CLI goes through this class, which a lint enforces: write errors are errors of the
 * command, and text from outside is escaped.
 *
 * `process.stdout` is not used: it reports errors too late, makes a shared pipe non-blocking, and takes time to load.
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

  /** Returns the current size of the terminal; undefined without a terminal, or if its size is unknown. */
  windowSize(): { readonly rows: number; readonly columns: number } | undefined {
    if (!this.isTerminal) return undefined;
    // getWindowSize queries the terminal, so it is correct before Node has handled SIGWINCH.
    const [columns, rows] = (this.#fd === 1 ? process.stdout : process.stderr).getWindowSize();
    return rows && columns ? { rows, columns } : undefined;
  }

  /**
   * Prints a line. Strings are escaped, newlines included.
   *
   * @throws OutputError
   */
  line(value: Shown): void {
    this.#write(`${this.#shown(value)}\n`);
  }

  /** Prints lines with one write. @throws OutputError */
  lines(values: readonly Shown[]): void {
    if (values.length) this.#write(`${values.map((each) => this.#shown(each)).join('\n')}\n`);
  }

  /** Prints a question without a newline. @throws OutputError */
  prompt(value: Shown): void {
    this.#write(this.#shown(value));
  }

  /** Prints a value as JSON, in one line unless `indent` is given. @throws OutputError */
  json(value: unknown, indent?: number): void {
    this.#write(`${visibleJson(JSON.stringify(value, undefined, indent))}\n`);
  }

  /** Writes bytes unchanged, such as a container's output. @throws OutputError */
  bytes(content: Uint8Array): void {
    this.#write(content);
  }

  /**
   * Returns a stream that writes bytes unchanged and without blocking. Ending it does not close the descriptor. Its errors are
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
      // An error of stderr cannot be reported anywhere.
      if (this.#fd === 1) throw new OutputError(error);
    }
  }
}

/** For the results of a command. */
export const stdout: Out = new Out(1);
/** For errors, notes, questions and progress. Write errors are ignored. */
export const stderr: Out = new Out(2);
