import { constants } from 'node:os';
import { OutputError } from '../errors/output-error.js';
import { reportError, reportErrorAsJSON, rootError } from './report-error.js';

/** Docker's: anything of ours, usage errors included. */
export const OUR_FAILURE = 125;

/** Docker's for commands on several things, of which some were not done: the others are. */
export const SOME_FAILED = 1;

/** The exit status for an error: 127 and 126 where the command is to blame. */
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

/** The exit status for a process that ended: its own, or 128 and the signal. */
export function exitStatusOf({ exitCode, signal }: { readonly exitCode: number | undefined; readonly signal: NodeJS.Signals | undefined }): number {
  return exitCode ?? 128 + (signal ? numberOfSignal(signal) : 0);
}

/** The number of a signal by which a process ended. Node has no names for real-time signals: the engine calls them `SIGRTMIN+N`. */
export function numberOfSignal(signal: string): number {
  const known = (constants.signals as Readonly<Record<string, number>>)[signal];
  if (known !== undefined) return known;
  const [, real, plain] = /^SIG(?:RTMIN\+(\d+)|(\d+))$/.exec(signal) ?? [];
  if (real === undefined && plain === undefined) throw new TypeError(`unknown signal ${signal}`);
  return real === undefined ? Number(plain) : 34 + Number(real);
}

/** Tells of the error that ended a command. @returns the exit status, also where it cannot be told */
export function reportFailure(
  error: unknown,
  { json = false, debug = false }: { readonly json?: boolean | undefined; readonly debug?: boolean | undefined } = {},
): number {
  if (!json) reportError(error, { debug });
  else
    try {
      reportErrorAsJSON(error);
    } catch (unwritten) {
      // Somebody is to know both.
      reportError(error, { debug });
      return reportFailure(unwritten, { debug });
    }
  return statusOf(error);
}

/** As {@link reportFailure} for commands that are ours throughout: no other status than {@link OUR_FAILURE}, or that of a closed pipe. */
export function reportOwnFailure(error: unknown, options: Parameters<typeof reportFailure>[1] = {}): number {
  const status = reportFailure(error, options);
  return rootError(error) instanceof OutputError ? status : OUR_FAILURE;
}
