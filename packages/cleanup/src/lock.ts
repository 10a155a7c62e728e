import { AT_FDCWD, LOCK, O, type Op, start } from '@lamella/syscall';

/** A lock between processes. Disposing lets go; so does the death of this process. */
export interface HeldLock extends AsyncDisposable {
  readonly path: string;
}

/**
 * Wait for, and hold, an flock(2) on a file (absolute path; made when missing, mode 0600, and left
 * there). Node has no flock, so a small process holds it.
 *
 * @throws SyscallError when the file cannot be opened; the AbortSignal's reason
 */
export async function lockFile(path: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<HeldLock> {
  const acquired = Promise.withResolvers<void>();
  const flock: Op = { op: 'flock', fd: 5, operation: LOCK.EX, reply: true };
  const running = start(
    [
      { op: 'prctl', option: 1, arg2: 9, arg3: 0, arg4: 0, arg5: 0 },
      { op: 'openat', dirfd: AT_FDCWD, pathname: path, flags: O.RDWR | O.CREAT | O.CLOEXEC, mode: 0o600, out: 5 },
      flock,
      // The descriptor belongs to the monitor, which ends when told or when this process is gone.
      { op: 'clone', flags: 0, monitor: 0, program: [{ op: 'close', fd: 5 }, { op: 'wait' }] },
    ],
    {
      ...(signal ? { signal } : {}),
      onReply: (reply) => {
        if (reply.kind === 'ok') acquired.resolve();
      },
    },
  );
  await Promise.race([acquired.promise, running.result]);
  return {
    path,
    async [Symbol.asyncDispose](): Promise<void> {
      running.control({ op: 'go' });
      await running.result;
    },
  };
}
