import { fstatSync, readlinkSync } from 'node:fs';
import type { PreservedDescriptors } from '../model/preserved-descriptors.js';
import { integerFlag, usageError, type Values } from './parse-flags.js';

/**
 * Returns the descriptors that the process inherits: those of `--preserve-fds` and of socket activation (sd_listen_fds(3)).
 * Each must be open.
 *
 * @throws OciError `USAGE`
 */
export function preservedDescriptors(values: Values): PreservedDescriptors {
  const given = integerFlag(values, 'preserve-fds') ?? 0;
  if (given < 0 || given > 512) throw usageError(`invalid value ${given} for --preserve-fds: use 0 to 512`);
  const { LISTEN_FDS, LISTEN_PID } = process.env;
  const listening = LISTEN_FDS && LISTEN_PID === String(process.pid) ? Number(LISTEN_FDS) || 0 : 0;
  const count = given + listening;
  for (let fd = 3; fd < 3 + count; fd++) if (!isInherited(fd)) throw usageError(`--preserve-fds: descriptor ${fd} is not open`);
  return { count, listening };
}

/** Whether the caller opened a descriptor. Node opens others in the gaps that the caller left. */
function isInherited(fd: number): boolean {
  try {
    fstatSync(fd);
    return !/^anon_inode:\[(?:eventpoll|eventfd|io_uring)\]$/.test(readlinkSync(`/proc/self/fd/${fd}`));
  } catch (error) {
    if (['EBADF', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}
