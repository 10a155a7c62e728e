import { O } from '../ops/constants.js';
import { AT_FDCWD, type Program } from '../ops/op.js';

/**
 * First ops of a process in a new user namespace: its root is the caller's own id, the only one
 * mapped; or another id inside stands for it. What an ordinary user may do without setup (user_namespaces(7), "Defining user and group
 * ID mappings"): `setgroups` has to be denied before a group map is written.
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
