import { fstatSync, readlinkSync } from 'node:fs';
import type { PreservedDescriptors } from '../model/preserved-descriptors.js';
import { integerFlag, usageError, type Values } from './parse-flags.js';

/**
 * Descriptors of `--preserve-fds`, and those of socket activation (sd_listen_fds(3)). Each has to be open.
 *
 * @throws OciError `USAGE`
 */
export function preservedDescriptors(values: Values): PreservedDescriptors {
  const given = integerFlag(values, 'preserve-fds') ?? 0;
  if (given < 0 || given > 512) throw usageError(`--preserve-fds takes 0 to 512, not ${given}`);
  const { LISTEN_FDS, LISTEN_PID } = process.env;
  const listening = LISTEN_FDS && LISTEN_PID === String(process.pid) ? Number(LISTEN_FDS) || 0 : 0;
  const count = given + listening;
  for (let fd = 3; fd < 3 + count; fd++) if (!isOurs(fd)) throw usageError(`--preserve-fds: descriptor ${fd} is not open`);
  return { count, listening };
}

/** Node opens some for itself at its start, where the caller left room. */
function isOurs(fd: number): boolean {
  try {
    fstatSync(fd);
    return !/^anon_inode:\[(?:eventpoll|eventfd|io_uring)\]$/.test(readlinkSync(`/proc/self/fd/${fd}`));
  } catch (error) {
    if (['EBADF', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}
