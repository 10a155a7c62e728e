import { constants } from 'node:os';
import type { Writable } from 'node:stream';
import type { Attached, ProcessEnd } from '@lamella/engine';
import { stderr, stdout } from '../output/out.js';
import { detachScanner } from './detach-keys.js';
import { forwardSignals, windowSize } from './forward-signals.js';

export interface SessionOptions {
  /** Whether the container has a terminal. */
  readonly terminal: boolean;
  /** Whether stdin is forwarded. */
  readonly input: boolean;
  /** Whether signals are forwarded. Otherwise they end this process only. */
  readonly signals: boolean;
  /** The key sequence that detaches, as bytes. */
  readonly keys: string;
}

/**
 * Connects this process's stdio to a container until the container exits or the user detaches.
 *
 * @returns how the container ended; `left` if the user detached
 * @throws OutputError if stdout cannot be written to
 */
export async function attachSession(attached: Attached, { terminal, input, signals, keys }: SessionOptions): Promise<ProcessEnd | 'left' | undefined> {
  const { stdin } = process;
  const raw = terminal && input && stdin.isTTY === true;
  const left = Promise.withResolvers<'left'>();
  const [out, errors] = [attached.stdout.pipe(stdout.stream()), attached.stderr.pipe(stderr.stream())];
  // Without stdout this command ends, and the container keeps running.
  out.once('error', left.reject);
  // It may reject before it is awaited.
  left.promise.catch(() => undefined);
  // Without stderr the session goes on, and the errors are dropped.
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
    // All output must be written first.
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

/** Resolves once a stream is finished or destroyed. */
function over(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableFinished || stream.destroyed) resolve();
    else stream.once('close', resolve);
  });
}
