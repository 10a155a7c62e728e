import {
  AT,
  AT_FDCWD,
  FSCONFIG,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR,
  MOVE_MOUNT,
  mountSetattr,
  OPEN_TREE,
  type Op,
  openInRoot,
  type Program,
  S_IF,
  type SlotAllocator,
} from '@lamella/syscall';
import type { Mount } from './mount.js';
import { normalizedPath } from './places.js';

/** Files and directories which tell of the host or steer it, hidden as runc and Docker hide them. */
const MASKED_PROC_FILES = ['kcore', 'keys', 'latency_stats', 'timer_list', 'sched_debug', 'interrupts'] as const;
const MASKED_PROC_DIRECTORIES = ['acpi', 'asound', 'scsi'] as const;
const MASKED_SYS_DIRECTORIES = ['firmware', 'devices/virtual/powercap'] as const;
const READONLY_PROC = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'] as const;

const QUIET = MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOEXEC;
const ONTO = MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH;
/** Names in /dev that are there while masks are made: those that the user put in place are not used. */
const [EMPTY, NULL] = ['.masked', '.masked-file'];

/** What masks are made of and put on. */
export interface MaskContext {
  readonly slots: SlotAllocator;
  /** Slot of the container's root. */
  readonly root: number;
  /** Slot of the tmpfs of its /dev. */
  readonly dev: number | undefined;
  /** Devices cannot be made there. As without a /dev, the host's /dev/null covers files. */
  readonly userNamespace: boolean;
}

/** Slots that every mask uses in its turn. */
interface Turn extends MaskContext {
  readonly target: number;
  readonly tree: number;
  readonly context: number;
}

/**
 * Ops that hide and write-protect what the kernel of this container shares with the host. They come after all mounts: what is
 * covered is what is seen at a path then, whatever was mounted there. An op at the end of each sees that it is covered.
 */
export function masked(mounts: readonly Mount[], { slots, root, dev, userNamespace }: MaskContext): Program {
  const at = (type: Mount['type'], names: readonly string[]): string[] => [
    ...new Set(mounts.filter((mount) => mount.type === type).flatMap(({ destination }) => names.map((name) => normalizedPath(`${destination}/${name}`)))),
  ];
  const turn: Turn = { slots, root, dev, userNamespace, target: slots(), tree: slots(), context: slots() };
  const files = at('proc', MASKED_PROC_FILES);
  const directories = [...at('proc', MASKED_PROC_DIRECTORIES), ...at('sysfs', MASKED_SYS_DIRECTORIES)];
  return [...coverWithNothing(files, turn), ...coverWithEmpty(directories, turn), ...at('proc', READONLY_PROC).flatMap((pathname) => readonly(pathname, turn))];
}

/**
 * Opens what is seen at a path of the container's, and covers it. If there is nothing, no mount is made: to make one and drop it costs more than all
 * else here. `covered` looks again, whatever came of that.
 */
function coverSeen(pathname: string, cover: Program, { root, target }: Turn): Program {
  return [
    {
      op: 'attempt',
      ignore: ['ENOENT', 'ENOTDIR'],
      program: [openInRoot(root, pathname, target), ...cover, { op: 'close', fd: target }],
    },
    { op: 'covered', rootfd: root, readonly: 1, pathname },
  ];
}

/** Covers files with a null device that Lamella makes, whatever the user put at /dev/null. */
function coverWithNothing(files: readonly string[], turn: Turn): Program {
  const { dev, tree, userNamespace } = turn;
  if (!files.length) return [];
  const clone = { op: 'open_tree', flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC, out: tree } as const;
  const coverAll = (source: Op): Program => files.flatMap((pathname) => cover(pathname, [source, mountSetattr(tree, { set: MOUNT_ATTR.RDONLY })], turn));
  if (dev === undefined || userNamespace) return coverAll({ ...clone, dirfd: AT_FDCWD, pathname: '/dev/null' });
  return [
    { op: 'mknodat', dirfd: dev, pathname: NULL, mode: S_IF.IFCHR | 0o666, major: 1, minor: 3 },
    ...coverAll({ ...clone, dirfd: dev, pathname: NULL }),
    { op: 'unlinkat', dirfd: dev, pathname: NULL, flags: 0 },
  ];
}

/** What does not fit, is not there, or has no name any more, as a file that hides another, `covered` tells apart. */
function cover(pathname: string, source: Program, turn: Turn): Program {
  const { tree, target } = turn;
  const ignore = ['EINVAL', 'ENOTDIR', 'ENOENT'];
  const move: Op = { op: 'move_mount', from_dirfd: tree, from_pathname: '', to_dirfd: target, to_pathname: '', flags: ONTO, ignore };
  return coverSeen(pathname, [...source, move, { op: 'close', fd: tree }], turn);
}

/** An empty directory of /dev covers them all; once it has no name, nothing can ever be put into it. */
function coverWithEmpty(directories: readonly string[], turn: Turn): Program {
  const { dev, tree, context } = turn;
  if (!directories.length) return [];
  if (dev === undefined)
    return directories.flatMap((pathname) =>
      cover(
        pathname,
        [
          { op: 'fsopen', fsname: 'tmpfs', flags: FSOPEN_CLOEXEC, out: context },
          { op: 'fsconfig', fd: context, cmd: FSCONFIG.SET_STRING, key: 'nr_inodes', value: '1', aux: -1 },
          { op: 'fsconfig', fd: context, cmd: FSCONFIG.CMD_CREATE, key: null, value: null, aux: -1 },
          { op: 'fsmount', fd: context, flags: FSMOUNT_CLOEXEC, mount_attrs: QUIET | MOUNT_ATTR.RDONLY, out: tree },
          { op: 'close', fd: context },
        ],
        turn,
      ),
    );
  const empty: Program = [
    { op: 'open_tree', dirfd: dev, pathname: EMPTY, flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC, out: tree },
    mountSetattr(tree, { set: MOUNT_ATTR.RDONLY }),
  ];
  return [
    { op: 'mkdirat', dirfd: dev, pathname: EMPTY, mode: 0o555 },
    ...directories.flatMap((pathname) => cover(pathname, empty, turn)),
    { op: 'unlinkat', dirfd: dev, pathname: EMPTY, flags: AT.REMOVEDIR },
  ];
}

function readonly(pathname: string, turn: Turn): Program {
  const { target, tree } = turn;
  return coverSeen(
    pathname,
    [
      { op: 'open_tree', dirfd: target, pathname: '', flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | AT.EMPTY_PATH | AT.RECURSIVE, out: tree },
      mountSetattr(tree, { set: MOUNT_ATTR.RDONLY, recursive: true }),
      { op: 'move_mount', from_dirfd: tree, from_pathname: '', to_dirfd: target, to_pathname: '', flags: ONTO, ignore: ['ENOENT'] },
      { op: 'close', fd: tree },
    ],
    turn,
  );
}
