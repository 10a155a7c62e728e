import { constants } from 'node:os';
import type { Running } from '@lamella/syscall';

/** Signals that this command forwards to the container's process. */
const FORWARDED: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT', 'SIGWINCH'];

/** Waits for a process and forwards signals to it. @returns its exit status; 128+N after signal N */
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
