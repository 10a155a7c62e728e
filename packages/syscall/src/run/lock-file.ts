import type { LockOptions } from '../model/lock-options.js';
import { LOCK, O, PR } from '../ops/constants.js';
import { AT_FDCWD, type Program } from '../ops/op.js';
import { text } from '../options/check.js';
import { LOCK_OPTIONS, read } from '../options/option-shapes.js';
import { takeLock } from './lock-keeper.js';
import { start } from './run.js';

/** A lock between processes. It is released when it is disposed and when this process ends. */
export interface HeldLock extends AsyncDisposable {
  readonly path: string;
}

/**
 * Waits for an flock(2) on a file and holds it. The file stays.
 *
 * @param file absolute path
 * @throws SyscallError if the file cannot be opened; the reason of the AbortSignal
 */
export async function lockFile(path: string, options: LockOptions = {}): Promise<HeldLock> {
  read('lockFile(path)', path, text);
  return (await tryLockFile(path, options)) ?? (await wait(path, options.shared ? LOCK.SH : LOCK.EX, options));
}

/** Locks a file without waiting. Returns undefined if another process holds the lock. */
export async function tryLockFile(path: string, options: LockOptions = {}): Promise<HeldLock | undefined> {
  const { signal, create = true, shared = false } = read('tryLockFile(path, options)', options, LOCK_OPTIONS);
  read('tryLockFile(path)', path, text);
  signal?.throwIfAborted();
  const lock = await takeLock(path, shared ? LOCK.SH : LOCK.EX, create);
  return lock && { path, [Symbol.asyncDispose]: lock.release };
}

/** Waits in a separate process, because flock(2) blocks. */
async function wait(path: string, operation: number, { signal, create = true }: LockOptions): Promise<HeldLock> {
  const acquired = Promise.withResolvers<void>();
  const flags = (create ? O.RDWR | O.CREAT : O.RDONLY) | O.NONBLOCK | O.NOCTTY | O.CLOEXEC;
  const program: Program = [
    { op: 'prctl', option: PR.SET_PDEATHSIG, arg2: 9, arg3: 0, arg4: 0, arg5: 0 },
    { op: 'openat', dirfd: AT_FDCWD, pathname: path, flags, mode: 0o600, out: 5 },
    { op: 'flock', fd: 5, operation, reply: true },
    // The descriptor belongs to the monitor, which ends on request or with this process.
    { op: 'clone', flags: 0, monitor: 0, program: [{ op: 'close', fd: 5 }, { op: 'wait' }] },
  ];
  const waiting = new AbortController();
  const giveUp = (): void => waiting.abort(signal?.reason);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', giveUp, { once: true });
  const running = start(program, {
    signal: waiting.signal,
    onReply: (reply) => {
      if (reply.kind === 'ok') acquired.resolve();
    },
  });
  try {
    await Promise.race([acquired.promise, running.result]);
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
  return {
    path,
    async [Symbol.asyncDispose](): Promise<void> {
      running.control({ op: 'go' });
      // The death of its holder releases a lock too.
      await running.result.catch((error: { code?: string }) => {
        if (error.code !== 'INIT_DIED') throw error;
      });
    },
  };
}
