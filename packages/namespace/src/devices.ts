import { AT_FDCWD, MOVE_MOUNT, O, OPEN_TREE, type Op, type Program, S_IF } from '@lamella/syscall';
import type { MountContext } from './mount-program.js';

/** OCI runtime-spec, "Default Devices": name, major, minor. */
const NODES = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
] as const;

const LINKS = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['core', '/proc/kcore'],
  ['ptmx', 'pts/ptmx'],
] as const;

/** Fill a fresh `/dev`, whose root is slot `dev`. */
export function deviceNodes(dev: number, context: Pick<MountContext, 'slots' | 'userNamespace'>): Program {
  const nodes = NODES.flatMap(([name, major, minor]): Op[] =>
    context.userNamespace ? bindNode(dev, name, context.slots) : [{ op: 'mknodat', dirfd: dev, pathname: name, mode: S_IF.IFCHR | 0o666, major, minor }],
  );
  const links = LINKS.map(([name, target]): Op => ({ op: 'symlinkat', newdirfd: dev, linkpath: name, target }));
  return [...nodes, ...links];
}

/** In a user namespace the host's own node is bound onto an empty file. */
function bindNode(dev: number, name: string, slots: MountContext['slots']): Op[] {
  const node = slots();
  const file = slots();
  return [
    { op: 'open_tree', dirfd: AT_FDCWD, pathname: `/dev/${name}`, flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC, out: node },
    { op: 'openat', dirfd: dev, pathname: name, flags: O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC, mode: 0o666, out: file },
    { op: 'close', fd: file },
    { op: 'move_mount', from_dirfd: node, from_pathname: '', to_dirfd: dev, to_pathname: name, flags: MOVE_MOUNT.F_EMPTY_PATH },
    { op: 'close', fd: node },
  ];
}
