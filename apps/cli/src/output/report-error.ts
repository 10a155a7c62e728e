/** An error of ours: it knows a code and, mostly, what to do. */
interface ToldError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  toJSON(): object;
}

/** By its shape: the bundle of `run` and the packages have a class of their own each. */
function isTold(error: unknown): error is ToldError {
  return error instanceof Error && 'hint' in error && 'code' in error && typeof (error as { toJSON?: unknown }).toJSON === 'function';
}

/** What went wrong first, when clearing away after it went wrong, too. */
export function firstOf(error: unknown): unknown {
  return error instanceof SuppressedError ? firstOf(error.suppressed) : error;
}

/** Print an error for people: what happened, what to do, and with `debug` all that led to it. */
export function reportError(error: unknown, { debug = false }: { readonly debug?: boolean } = {}): void {
  process.stderr.write(`${describe(firstOf(error))}\n`);
  if (debug) for (let each: unknown = error; each instanceof Error; each = each.cause) process.stderr.write(`  ${each.stack?.replaceAll('\n', '\n  ')}\n`);
}

function describe(error: unknown): string {
  if (isTold(error)) {
    const hint = error.hint ? `\n  ${error.hint.replaceAll('\n', '\n  ')}` : '';
    return `lamella: ${error.message}${hint}`;
  }
  if (error instanceof Error) {
    const system = (error as NodeJS.ErrnoException).code;
    // A refused system call says all there is to say; anything else is a defect of ours.
    if (system && (error as NodeJS.ErrnoException).syscall) return `lamella: ${error.message}`;
    return `lamella: internal error: ${error.message}\n  Run again with --debug, and report what it prints.`;
  }
  return `lamella: internal error: ${String(error)}`;
}

/** The same for programs. */
export function errorToJSON(given: unknown): unknown {
  const error = firstOf(given);
  if (isTold(error)) return { error: error.toJSON() };
  const { name, message, code } = error as NodeJS.ErrnoException;
  return { error: { name, code: code ?? 'INTERNAL', message } };
}
