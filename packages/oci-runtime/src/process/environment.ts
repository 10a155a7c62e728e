import { rootfsLines } from '@lamella/namespace';
import { FileError } from '@lamella/syscall';
import type { OciProcess } from '../config/schema.js';

/**
 * Returns the environment of a process: that of its specification; HOME from the container's passwd(5), or `/`, if it is not set, as
 * with runc and crun; and the variables of socket activation (sd_listen_fds(3)).
 *
 * @param root absolute path, on the host, of the container's root
 * @param listening number of descriptors from socket activation
 */
export function environmentOf({ env = [], user }: OciProcess, root: string, listening: number): string[] {
  // The last value of a name counts, but programs find the first one.
  const unique = [...new Map(env.map((pair) => [pair.slice(0, pair.indexOf('=')), pair])).values()];
  const home = env.some((pair) => /^HOME=./.test(pair)) ? [] : [`HOME=${homeOf(root, user?.uid ?? 0)}`];
  return [...(home.length ? unique.filter((pair) => pair !== 'HOME=') : unique), ...home, ...(listening ? [`LISTEN_FDS=${listening}`, 'LISTEN_PID=1'] : [])];
}

/** Returns the home directory of a user. An unreadable passwd(5) counts as empty. */
function homeOf(root: string, uid: number): string {
  try {
    for (const line of rootfsLines([root], '/etc/passwd', `:${uid}:`)) {
      const fields = line.split(':');
      if (fields[2] === String(uid)) return fields[5] || '/';
    }
    return '/';
  } catch (error) {
    if (error instanceof FileError) return '/';
    throw error;
  }
}
