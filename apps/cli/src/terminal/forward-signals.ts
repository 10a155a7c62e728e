import { stderr, stdout } from '../output/out.js';

const FORWARDED: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGCONT'];
/** Process 1 ignores SIGINT and SIGTERM without a handler. After this many the container is killed. */
const PATIENCE = 3;

/** A receiver of signals and window sizes. */
export interface Signalled {
  kill(signal: NodeJS.Signals): unknown;
  resize(rows: number, columns: number): void;
}

/** Forwards signals and window sizes until it is disposed. */
export function forwardSignals(container: Signalled, terminal: boolean): Disposable {
  let asked = 0;
  const forward = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGINT' || signal === 'SIGTERM') asked++;
    if (asked === PATIENCE) stderr.line('lamella: third signal: killing the container');
    container.kill(asked >= PATIENCE ? 'SIGKILL' : signal);
  };
  const resize = (): void => {
    const size = windowSize();
    if (size) container.resize(size.rows, size.columns);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  if (terminal) process.on('SIGWINCH', resize);
  return {
    [Symbol.dispose]() {
      for (const signal of FORWARDED) process.off(signal, forward);
      process.off('SIGWINCH', resize);
    },
  };
}

/** Returns the size of the terminal on stdout or stderr. */
export function windowSize(): { readonly rows: number; readonly columns: number } | undefined {
  return stdout.windowSize() ?? stderr.windowSize();
}
