import { constants } from 'node:os';
import type { Writable } from 'node:stream';
import type { Attached, Ending } from '@lamella/engine';
import { stderr, stdout } from '../output/out.js';
import { detachScanner } from './detach-keys.js';
import { forwardSignals, windowSize } from './forward-signals.js';

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
 * @throws OutputError when stdout takes no more
 */
export async function attachSession(attached: Attached, { terminal, input, signals, keys }: SessionOptions): Promise<Ending | 'left' | undefined> {
  const { stdin } = process;
  const raw = terminal && input && stdin.isTTY === true;
  const left = Promise.withResolvers<'left'>();
  const [out, errors] = [attached.stdout.pipe(stdout.stream()), attached.stderr.pipe(stderr.stream())];
  // Nobody sees the container any more: this command ends, and it runs on.
  out.once('error', left.reject);
  // It may come before somebody waits for it.
  left.promise.catch(() => undefined);
  // Without its errors somebody does; they must not hold it back.
  errors.once('error', () => attached.stderr.resume());
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
  const forward = (signal: NodeJS.Signals): void => void attached.kill(constants.signals[signal]);
  using _signals = signals ? forwardSignals({ kill: forward, resize: (rows, columns) => void attached.resize(rows, columns) }, terminal) : undefined;
  try {
    if (raw) stdin.setRawMode(true);
    if (input) {
      stdin.on('data', type);
      stdin.once('end', end);
    }
    const ending = await Promise.race([attached.ended, left.promise]);
    // All that it wrote is to be seen.
    if (ending !== 'left') await Promise.race([Promise.all([over(out), over(errors)]), left.promise]);
    return ending;
  } finally {
    if (raw) stdin.setRawMode(false);
    stdin.off('data', type);
    stdin.off('end', end);
    stdin.pause();
    attached.detach();
  }
}

/** Resolves when all is written, or nothing more can be. */
function over(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableFinished || stream.destroyed) resolve();
    else stream.once('close', resolve);
  });
}
