import { rootfsLines } from '@lamella/namespace';
import { FileError } from '@lamella/syscall';
import type { OciProcess } from '../config/schema.js';

/**
 * The environment of a process: what its specification says; HOME from the container's passwd(5), or `/`, when that
 * says nothing of it (runc and crun have it so); and what socket activation tells (sd_listen_fds(3)).
 *
 * @param root absolute path, on the host, of the container's root
 * @param listening how many descriptors were passed by it
 */
export function environmentOf({ env = [], user }: OciProcess, root: string, listening: number): string[] {
  // Of a name that is there twice the last counts, for a program finds the first.
  const said = [...new Map(env.map((pair) => [pair.slice(0, pair.indexOf('=')), pair])).values()];
  const home = env.some((pair) => /^HOME=./.test(pair)) ? [] : [`HOME=${homeOf(root, user?.uid ?? 0)}`];
  return [...(home.length ? said.filter((pair) => pair !== 'HOME=') : said), ...home, ...(listening ? [`LISTEN_FDS=${listening}`, 'LISTEN_PID=1'] : [])];
}

/** A passwd(5) that cannot be read, or is no file, has no entries. */
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
