import { constants } from 'node:os';
import type { Attached, Ending } from '@lamella/engine';
import { detachScanner } from '../run/detach-keys.js';
import { forwardSignals, windowSize } from '../run/forward-signals.js';

export interface SessionOptions {
  /** The container has a terminal. */
  readonly terminal: boolean;
  /** Pass stdin on. */
  readonly input: boolean;
  /** Pass signals on; without, they end this process only. */
  readonly signals: boolean;
  /** What leaves it running when it is typed. */
  readonly keys: string;
}

/**
 * Be a container's terminal, or its stdio, until it ends or the user leaves it.
 *
 * @returns how it ended; `left` when the user did
 */
export async function session(attached: Attached, { terminal, input, signals, keys }: SessionOptions): Promise<Ending | 'left' | undefined> {
  const { stdin } = process;
  const raw = terminal && input && stdin.isTTY === true;
  const left = Promise.withResolvers<'left'>();
  attached.stdout.pipe(process.stdout, { end: false });
  attached.stderr.pipe(process.stderr, { end: false });
  const scan = detachScanner(terminal ? keys : '');
  const type = (typed: Buffer): void => {
    const { pass, detach } = scan(typed);
    if (pass.length && !attached.stdin.write(pass)) {
      stdin.pause();
      attached.stdin.once('drain', () => stdin.resume());
    }
    if (detach) left.resolve('left');
  };
  const end = (): void => {
    if (!terminal) attached.stdin.end();
  };
  if (terminal) {
    const size = windowSize();
    if (size) await attached.resize(size.rows, size.columns);
  }
  const forward = (signal: NodeJS.Signals | number): void => void attached.kill(typeof signal === 'number' ? signal : constants.signals[signal]);
  using _signals = signals
    ? forwardSignals({ kill: (signal = 'SIGTERM') => forward(signal), resize: (rows, columns) => void attached.resize(rows, columns) }, terminal)
    : undefined;
  try {
    if (raw) stdin.setRawMode(true);
    if (input) {
      stdin.on('data', type);
      stdin.once('end', end);
    }
    const ending = await Promise.race([attached.ended, left.promise]);
    if (ending !== 'left')
      await Promise.all(
        [attached.stdout, attached.stderr].map((stream) => (stream.readableEnded ? undefined : new Promise((resolve) => stream.once('end', resolve)))),
      );
    return ending;
  } finally {
    if (raw) stdin.setRawMode(false);
    stdin.off('data', type);
    stdin.off('end', end);
    stdin.pause();
    attached.detach();
  }
}
