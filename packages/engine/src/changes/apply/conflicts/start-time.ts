import { statSync } from 'node:fs';
import { type ContainerRecord, lockOf } from '@lamella/cleanup';
import { ignoreMissing } from '@lamella/syscall';
import type { ContainerConfig } from '../../../model/container-config.js';

/** How far the clock by which the kernel dates files lags behind that of processes, at most: one tick, in milliseconds. */
const TICK = 10;

/**
 * Returns a time before which a container had not begun: what the host changed then or later it may not have seen.
 *
 * Its record has the time of this process's clock; that of files lags behind, by up to a tick, so the lock that the container made at
 * its beginning counts where it is older. A fork goes on from what another one saw.
 */
export function began({ since, created }: Pick<ContainerConfig, 'since' | 'created'>, record: ContainerRecord): Date {
  if (since !== undefined) return new Date(since);
  const written = Date.parse(created);
  try {
    return new Date(Math.min(written, Math.floor(statSync(lockOf(record)).ctimeMs)));
  } catch (error) {
    ignoreMissing(error as NodeJS.ErrnoException);
    return new Date(written - TICK);
  }
}
