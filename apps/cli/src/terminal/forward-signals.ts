import { stderr, stdout } from '../output/out.js';

const FORWARDED: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGCONT'];
/** A process 1 without a handler ignores what is asked of it; who asks three times means it. */
const PATIENCE = 3;

/** What is told of signals and window sizes. */
export interface Signalled {
  kill(signal: NodeJS.Signals): unknown;
  resize(rows: number, columns: number): void;
}

/** Pass signals and window sizes on for as long as a container runs. */
export function forwardSignals(container: Signalled, terminal: boolean): Disposable {
  let asked = 0;
  const forward = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGINT' || signal === 'SIGTERM') asked++;
    if (asked === PATIENCE) stderr.line('lamella: asked three times: killing it');
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

/** The size of the user's terminal, wherever there is one. */
export function windowSize(): { readonly rows: number; readonly columns: number } | undefined {
  return stdout.windowSize() ?? stderr.windowSize();
}
