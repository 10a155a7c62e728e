import { OutputError } from '../errors/output-error.js';
import { stderr, stdout } from './out.js';
import { type Printable, text } from './printable.js';

/** An error of ours: it knows a code and, mostly, what to do. */
interface UserError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  toJSON(): object;
}

/** By its shape: the bundle of `run` and the packages have a class of their own each. */
function isUserError(error: unknown): error is UserError {
  return error instanceof Error && 'hint' in error && 'code' in error && typeof (error as { toJSON?: unknown }).toJSON === 'function';
}

/** What went wrong first, when clearing away after it went wrong, too. */
export function rootError(error: unknown): unknown {
  return error instanceof SuppressedError ? rootError(error.suppressed) : error;
}

/** Whether it was told that stdout takes nothing. */
let unwritten = false;

/**
 * Prints an error for people: what happened in one line, what to do below it, and with `debug` all that led to it. Whatever it embeds is
 * escaped. When only the reader of stdout is gone, nothing is printed.
 */
export function reportError(error: unknown, { debug = false }: { readonly debug?: boolean } = {}): void {
  const first = rootError(error);
  if (first instanceof OutputError) {
    // Once: after it nothing can be written there, whoever tries.
    if (first.isClosedPipe || unwritten) return;
    unwritten = true;
  }
  stderr.lines(describe(first));
  if (debug) for (let each: unknown = error; each instanceof Error; each = each.cause) stderr.lines(indented(each.stack ?? String(each)));
}

function describe(error: unknown): Printable[] {
  if (isUserError(error)) return [text`lamella: ${oneLine(error.message)}`, ...(error.hint ? indented(error.hint) : [])];
  if (error instanceof Error) {
    const system = (error as NodeJS.ErrnoException).code;
    // A refused system call says all there is to say; anything else is a defect of ours.
    if (system && (error as NodeJS.ErrnoException).syscall) return [text`lamella: ${oneLine(error.message)}`];
    return [text`lamella: internal error: ${oneLine(error.message)}`, text`  Run again with --debug, and report what it prints.`];
  }
  return [text`lamella: internal error: ${String(error)}`];
}

/** What a helper said ends with a newline. */
function oneLine(message: string): string {
  return message.trimEnd();
}

function indented(lines: string): Printable[] {
  return lines.split('\n').map((line) => text`  ${line}`);
}

/** Prints the same for programs. @throws OutputError */
export function reportErrorAsJSON(error: unknown): void {
  if (!(rootError(error) instanceof OutputError)) stdout.json(errorToJSON(error));
  else reportError(error);
}

/** Returns what programs are told of an error. */
export function errorToJSON(given: unknown): unknown {
  const error = rootError(given);
  if (isUserError(error)) return { error: error.toJSON() };
  const { name, message, code } = error as NodeJS.ErrnoException;
  return { error: { name, code: code ?? 'INTERNAL', message } };
}
