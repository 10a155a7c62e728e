import { LamellaError } from '@lamella/syscall';
import { UsageError } from '../usage-error.js';

/** Print an error for people: what happened, what to do, and with `debug` all that led to it. */
export function reportError(error: unknown, { debug = false }: { readonly debug?: boolean } = {}): void {
  process.stderr.write(`${describe(error)}\n`);
  if (debug) for (let each: unknown = error; each instanceof Error; each = each.cause) process.stderr.write(`  ${each.stack?.replaceAll('\n', '\n  ')}\n`);
}

function describe(error: unknown): string {
  if (error instanceof LamellaError || error instanceof UsageError) {
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
export function errorToJSON(error: unknown): unknown {
  if (error instanceof LamellaError || error instanceof UsageError) return { error: error.toJSON() };
  const { name, message, code } = error as NodeJS.ErrnoException;
  return { error: { name, code: code ?? 'INTERNAL', message } };
}
