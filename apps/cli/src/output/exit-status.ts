import { constants } from 'node:os';
import type { ProcessEnd } from '@lamella/engine';
import { OutputError } from '../errors/output-error.js';
import { reportError, reportErrorAsJSON, rootError } from './report-error.js';

/** Exit status of a failure of Lamella, usage errors included. The same as Docker's. */
export const OUR_FAILURE = 125;

/** Exit status of a command that failed for some of several objects. The same as Docker's. */
export const SOME_FAILED = 1;

/** Returns the exit status for an error: 127 and 126 if the command of the container cannot be executed. */
function statusOf(error: unknown): number {
  const first = rootError(error);
  if (first instanceof OutputError) return first.status;
  switch ((first as { code?: string } | undefined)?.code) {
    case 'COMMAND_NOT_FOUND':
      return 127;
    case 'COMMAND_NOT_EXECUTABLE':
      return 126;
    default:
      return OUR_FAILURE;
  }
}

/** Returns the exit status for a process that ended: its own, or 128+N after signal N. */
export function exitStatusOf({ exitCode, signal }: ProcessEnd): number {
  return exitCode ?? 128 + (signal ? numberOfSignal(signal) : 0);
}

/** Returns the exit status as {@link exitStatusOf}; undefined if the process runs, never ran, or nobody saw its end. */
export function knownStatusOf(end: ProcessEnd | undefined): number | undefined {
  return end?.exitCode === undefined && end?.signal === undefined ? undefined : exitStatusOf(end);
}

/** Returns the number of a signal. Node has no names for real-time signals; the engine calls them `SIGRTMIN+N`. */
export function numberOfSignal(signal: string): number {
  const known = (constants.signals as Readonly<Record<string, number>>)[signal];
  if (known !== undefined) return known;
  const [, real, plain] = /^SIG(?:RTMIN\+(\d+)|(\d+))$/.exec(signal) ?? [];
  if (real === undefined && plain === undefined) throw new TypeError(`unknown signal ${signal}`);
  return real === undefined ? Number(plain) : 34 + Number(real);
}

/** Reports the error that ended a command. @returns the exit status */
export function reportFailure(
  error: unknown,
  { json = false, debug = false }: { readonly json?: boolean | undefined; readonly debug?: boolean | undefined } = {},
): number {
  if (!json) reportError(error, { debug });
  else
    try {
      reportErrorAsJSON(error);
    } catch (unwritten) {
      // Both errors are reported.
      reportError(error, { debug });
      return reportFailure(unwritten, { debug });
    }
  return statusOf(error);
}

/** Reports an error of a command that runs no command of a container. @returns {@link OUR_FAILURE}, or the status of a closed pipe */
export function reportOwnFailure(error: unknown, options: Parameters<typeof reportFailure>[1] = {}): number {
  const status = reportFailure(error, options);
  return rootError(error) instanceof OutputError ? status : OUR_FAILURE;
}
