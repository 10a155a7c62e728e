import { AT, MOUNT_ATTR, MOVE_MOUNT, OPEN_TREE, type Op, type Program, type SlotAllocator } from '@lamella/syscall';

/** Files and directories which tell of the host or steer it, hidden as runc and Docker hide them. */
const MASKED_PROC_FILES = ['kcore', 'keys', 'latency_stats', 'timer_list', 'sched_debug', 'interrupts'];
const MASKED_PROC_DIRECTORIES = ['acpi', 'asound', 'scsi'];
const MASKED_SYS_DIRECTORIES = ['firmware', 'devices/virtual/powercap'];
const READONLY_PROC = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'];

/** Slots of the mounts to mask in; nothing is resolved by a path from the root again. */
export interface MaskTargets {
  readonly proc: number | undefined;
  readonly sys: number | undefined;
  readonly dev: number;
}

/** Hide and write-protect what the kernel of this container shares with the host. */
export function masked({ proc, sys, dev }: MaskTargets, slots: SlotAllocator): Program {
  const files = proc === undefined ? [] : MASKED_PROC_FILES.map((name) => [proc, name] as const);
  const directories = [
    ...(proc === undefined ? [] : MASKED_PROC_DIRECTORIES.map((name) => [proc, name] as const)),
    ...(sys === undefined ? [] : MASKED_SYS_DIRECTORIES.map((name) => [sys, name] as const)),
  ];
  const hide = files.flatMap(([mount, name]) => cover(dev, 'null', mount, name, slots));
  return [...hide, ...coverWithEmpty(dev, directories, slots), ...(proc === undefined ? [] : READONLY_PROC.flatMap((name) => readonly(proc, name, slots)))];
}

function cover(dev: number, source: string, mount: number, name: string, slots: SlotAllocator): Op[] {
  const tree = slots();
  return [
    { op: 'open_tree', dirfd: dev, pathname: source, flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC, out: tree },
    { op: 'mount_setattr', dirfd: tree, pathname: '', flags: AT.EMPTY_PATH, attr_set: MOUNT_ATTR.RDONLY, attr_clr: 0, propagation: 0, userns_fd: -1 },
    { op: 'move_mount', from_dirfd: tree, from_pathname: '', to_dirfd: mount, to_pathname: name, flags: MOVE_MOUNT.F_EMPTY_PATH, ignore: ['ENOENT'] },
    { op: 'close', fd: tree },
  ];
}

/** An empty directory covers them all; once it has no name, nothing can ever be put into it. */
function coverWithEmpty(dev: number, directories: readonly (readonly [number, string])[], slots: SlotAllocator): Op[] {
  if (!directories.length) return [];
  return [
    { op: 'mkdirat', dirfd: dev, pathname: '.masked', mode: 0o555 },
    ...directories.flatMap(([mount, name]) => cover(dev, '.masked', mount, name, slots)),
    { op: 'unlinkat', dirfd: dev, pathname: '.masked', flags: AT.REMOVEDIR },
  ];
}

function readonly(mount: number, name: string, slots: SlotAllocator): Op[] {
  const tree = slots();
  return [
    { op: 'open_tree', dirfd: mount, pathname: name, flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | AT.RECURSIVE, out: tree, ignore: ['ENOENT'] },
    {
      op: 'mount_setattr',
      dirfd: tree,
      pathname: '',
      flags: AT.EMPTY_PATH | AT.RECURSIVE,
      attr_set: MOUNT_ATTR.RDONLY,
      attr_clr: 0,
      propagation: 0,
      userns_fd: -1,
      ignore: ['EBADF'],
    },
    { op: 'move_mount', from_dirfd: tree, from_pathname: '', to_dirfd: mount, to_pathname: name, flags: MOVE_MOUNT.F_EMPTY_PATH, ignore: ['EBADF'] },
    { op: 'close', fd: tree, ignore: ['EBADF'] },
  ];
}
