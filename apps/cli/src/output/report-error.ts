import { OutputError } from '../errors/output-error.js';
import { stderr, stdout } from './out.js';
import { type Printable, text } from './printable.js';

/** An error of ours: it has a code and, in most cases, a hint. */
interface UserError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  toJSON(): object;
}

/** Checks the shape of an error, because each bundle has its own class. */
function isUserError(error: unknown): error is UserError {
  return error instanceof Error && 'hint' in error && 'code' in error && typeof (error as { toJSON?: unknown }).toJSON === 'function';
}

/** Returns the first error if the cleanup after it failed too. */
export function rootError(error: unknown): unknown {
  return error instanceof SuppressedError ? rootError(error.suppressed) : error;
}

/** Whether a write error of stdout was reported. */
let reportedOutputError = false;

/**
 * Prints an error for people: the message in one line, the hint below, and with `debug` the stack traces. Embedded text is escaped. If the
 * reader of stdout has closed the pipe, nothing is printed.
 */
export function reportError(error: unknown, { debug = false }: { readonly debug?: boolean } = {}): void {
  const first = rootError(error);
  if (first instanceof OutputError) {
    // Once: every later write fails too.
    if (first.isClosedPipe || reportedOutputError) return;
    reportedOutputError = true;
  }
  stderr.lines(describe(first));
  if (debug) for (let each: unknown = error; each instanceof Error; each = each.cause) stderr.lines(indented(each.stack ?? String(each)));
}

function describe(error: unknown): Printable[] {
  if (isUserError(error)) return [text`lamella: ${oneLine(error.message)}`, ...(error.hint ? indented(error.hint) : [])];
  if (error instanceof Error) {
    const system = (error as NodeJS.ErrnoException).code;
    // The error of a system call is complete. Anything else is a bug.
    if (system && (error as NodeJS.ErrnoException).syscall) return [text`lamella: ${oneLine(error.message)}`];
    return [text`lamella: internal error: ${oneLine(error.message)}`, text`  Run the command again with --debug, and report the output.`];
  }
  return [text`lamella: internal error: ${String(error)}`];
}

/** Removes the newline at the end of a helper's message. */
function oneLine(message: string): string {
  return message.trimEnd();
}

function indented(lines: string): Printable[] {
  return lines.split('\n').map((line) => text`  ${line}`);
}

/** Prints an error as JSON. @throws OutputError */
export function reportErrorAsJSON(error: unknown): void {
  if (!(rootError(error) instanceof OutputError)) stdout.json(errorToJSON(error));
  else reportError(error);
}

/** Returns an error as a value for JSON. */
export function errorToJSON(given: unknown): unknown {
  const error = rootError(given);
  if (isUserError(error)) return { error: error.toJSON() };
  const { name, message, code } = error as NodeJS.ErrnoException;
  return { error: { name, code: code ?? 'INTERNAL', message } };
}
