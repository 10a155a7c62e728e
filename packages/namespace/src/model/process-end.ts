import { constants } from 'node:os';

/** How a process ended. Both fields are undefined only where nobody saw the end. */
export interface ProcessEnd {
  /** The exit status of the process, from 0 to 255; undefined if a signal ended it. */
  readonly exitCode: number | undefined;
  /** The name of the signal that ended the process, such as `SIGKILL`; undefined if it exited. */
  readonly signal: NodeJS.Signals | undefined;
}

/**
 * Returns how a process ended, from what its monitor reports.
 *
 * @param exited `status` is 128+N after a signal, and `signal` its number, or 0
 */
export function processEndOf({ status, signal }: { readonly status: number; readonly signal: number }): ProcessEnd {
  return signal ? { exitCode: undefined, signal: signalName(signal) } : { exitCode: status, signal: undefined };
}

/** Returns the name of a signal. Real-time signals and those that libc keeps for itself have none in Node (signal(7)). */
export function signalName(signo: number): NodeJS.Signals {
  const name = Object.entries(constants.signals).find(([, value]) => value === signo)?.[0];
  return (name ?? (signo >= 34 ? `SIGRTMIN+${signo - 34}` : `SIG${signo}`)) as NodeJS.Signals;
}
