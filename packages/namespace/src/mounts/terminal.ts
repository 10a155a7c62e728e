import { AT, IOCTL, MOVE_MOUNT, O, OPEN_TREE, type Op, openInRoot, type Program, type SlotAllocator } from '@lamella/syscall';

/** The group of terminals in every distribution. */
export const TTY_GROUP = 5;

/** Opens the devpts that a container sees, for `pty`. @param root slot of the container's root */
export function openDevpts(root: number, out: number): Op {
  return openInRoot(root, '/dev/pts', out, { access: O.RDONLY, directory: true, symlinks: false });
}

/** Ops that open a terminal in the container's devpts, and show it as /dev/console too. */
export function openTerminal(
  { dev, devpts }: { readonly dev: number | undefined; readonly devpts: number },
  { rows, columns }: { readonly rows: number; readonly columns: number },
  owner: { readonly uid: number; readonly group: number },
  slave: number,
  slots: SlotAllocator,
): Program {
  const console = slots();
  const file = slots();
  return [
    { op: 'pty', dirfd: devpts, rows, columns, owner: owner.uid, group: owner.group, out: slave, master: -1 },
    ...(dev === undefined
      ? []
      : ([
          { op: 'openat', dirfd: dev, pathname: 'console', flags: O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC, mode: 0o600, out: file },
          { op: 'close', fd: file },
          { op: 'open_tree', dirfd: slave, pathname: '', flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | AT.EMPTY_PATH, out: console },
          { op: 'move_mount', from_dirfd: console, from_pathname: '', to_dirfd: dev, to_pathname: 'console', flags: MOVE_MOUNT.F_EMPTY_PATH },
          { op: 'close', fd: console },
        ] as const)),
  ];
}

/** Ops that make an opened terminal the process's own: controlling terminal, stdin, stdout, stderr. */
export function takeTerminal(slave: number): Program {
  return [
    { op: 'ioctl', fd: slave, request: IOCTL.TIOCSCTTY, argument: 0, argp: null },
    { op: 'dup3', fd: slave, newfd: 0, flags: 0 },
    { op: 'dup3', fd: slave, newfd: 1, flags: 0 },
    { op: 'dup3', fd: slave, newfd: 2, flags: 0 },
    { op: 'close', fd: slave },
  ];
}
