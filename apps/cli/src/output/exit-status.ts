import { constants } from 'node:os';
import { firstOf } from './report-error.js';

/** Docker's: anything of ours, usage errors included. */
export const OUR_FAILURE = 125;

/** The exit status for an error: 127 and 126 where the command is to blame. */
export function statusOf(error: unknown): number {
  switch ((firstOf(error) as { code?: string }).code) {
    case 'COMMAND_NOT_FOUND':
      return 127;
    case 'COMMAND_NOT_EXECUTABLE':
      return 126;
    default:
      return OUR_FAILURE;
  }
}

/** The exit status for a process that ended: its own, or 128 and the signal. */
export function statusOfResult({ exitCode, signal }: { readonly exitCode: number | undefined; readonly signal: NodeJS.Signals | undefined }): number {
  return exitCode ?? 128 + (signal ? (constants.signals[signal] ?? 0) : 0);
}
