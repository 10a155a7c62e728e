import { constants } from 'node:os';
import type { Running } from '@lamella/syscall';

/** Signals that are meant for the container's process when they come to the command that waits for it. */
const FORWARDED: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT', 'SIGWINCH'];

/** Wait for a process with its monitor, passing signals on. @returns its exit status, 128+N for a signal */
export async function waitForExit(running: Running): Promise<number> {
  const forward = (signal: NodeJS.Signals): void => running.control({ op: 'signal', signo: constants.signals[signal] });
  for (const signal of FORWARDED) process.on(signal, forward);
  try {
    const { exited } = await running.result;
    return exited?.status ?? 1;
  } finally {
    for (const signal of FORWARDED) process.off(signal, forward);
  }
}
