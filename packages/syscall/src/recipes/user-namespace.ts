import { O } from '../ops/constants.js';
import { AT_FDCWD, type Program } from '../ops/op.js';

/**
 * Returns the first ops of a process in a new user namespace with a single id: the caller's own, which is root there or has the id
 * `inside`. Ordinary users can do this without setup. `setgroups` must be denied before the group map is written.
 *
 * @see user_namespaces(7), "Defining user and group ID mappings"
 */
export function mapSingleId(
  outside: { readonly uid: number; readonly gid: number },
  inside: { readonly uid: number; readonly gid: number } = { uid: 0, gid: 0 },
): Program {
  const write = (pathname: string, data: string): Program[number] => ({
    op: 'write_file',
    dirfd: AT_FDCWD,
    flags: O.WRONLY | O.CLOEXEC,
    mode: 0,
    pathname,
    data,
  });
  return [
    write('/proc/self/setgroups', 'deny'),
    write('/proc/self/uid_map', `${inside.uid} ${outside.uid} 1\n`),
    write('/proc/self/gid_map', `${inside.gid} ${outside.gid} 1\n`),
  ];
}
