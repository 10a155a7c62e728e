import { heldLocks, lockOf, monitorOf } from '@lamella/cleanup';
import { type ProcessEnd, processEndOf } from '@lamella/namespace';
import { connectMonitor, ignoreMissing, lockFile } from '@lamella/syscall';
import type { ContainerHandle } from './container-handle.js';
import { endOf, isAlive, stateOf } from './state.js';

/**
 * Waits until a container ends; the next time, if it is restarted.
 *
 * @returns how it ended; undefined where that is unknown: its monitor was killed, or it was removed
 */
export async function waitForEnd(container: ContainerHandle, signal?: AbortSignal): Promise<ProcessEnd | undefined> {
  const before = await container.state();
  const { monitor } = before;
  if (monitor === undefined && !isAlive(before.status)) return endOf(before);
  const ended = Promise.withResolvers<ProcessEnd>();
  using connection = await connectMonitor(container.directory, (reply) => {
    if (reply.kind === 'exited') ended.resolve(processEndOf(reply));
  });
  if (connection) {
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      signal?.throwIfAborted();
      // The container has ended when everything it used is released, and its monitor is gone.
      const ending = await Promise.race([ended.promise, connection.closed, aborted.promise]);
      await Promise.race([connection.closed, aborted.promise]);
      await waitForMonitor(container, monitor);
      if (ending) return ending;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  } else {
    // Without a socket only the lock shows when the container has ended.
    const lock = await lockFile(lockOf(container.record), { create: false, ...(signal ? { signal } : {}) }).catch(ignoreMissing);
    await lock?.[Symbol.asyncDispose]();
  }
  const after = await stateOf(container.record, undefined);
  return after && endOf(after);
}

/** Waits until a container that is about to be ended has ended. It may be removed before anybody looks: then nobody knows how it ended. */
export function waitForForcedEnd(container: ContainerHandle, signal?: AbortSignal): Promise<ProcessEnd | undefined> {
  const ending = waitForEnd(container, signal).catch((error: unknown) => {
    if ((error as { code?: string }).code === 'CONTAINER_NOT_FOUND') return undefined;
    throw error;
  });
  // What ends the container may fail before this is awaited.
  ending.catch(() => undefined);
  return ending;
}

/** Waits until a monitor has released the lock. The kernel closes the descriptors of a dead process in any order: the lock may go after the socket. */
export async function waitForMonitor(container: ContainerHandle, monitor: number | undefined): Promise<void> {
  while (monitor !== undefined && monitorOf(container.record, await heldLocks()) === monitor) await new Promise((resolve) => setTimeout(resolve, 1));
}
