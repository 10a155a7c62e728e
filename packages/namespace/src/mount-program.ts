import {
  AT,
  AT_FDCWD,
  FSCONFIG,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR,
  MOVE_MOUNT,
  O,
  type ObjectIdentity,
  OPEN_TREE,
  type Op,
  openObject,
  type Program,
  type SlotAllocator,
} from '@lamella/syscall';
import { deviceNodes } from './devices.js';
import { masked } from './masks.js';
import type { BindMount, FileMount, Mount, TmpfsMount } from './mount.js';
import { NamespaceError } from './namespace-error.js';

/** What the mounts of one container share while their program is being written. */
export interface MountContext {
  readonly slots: SlotAllocator;
  /** Slot of the container's root. */
  readonly root: number;
  /** In a user namespace no device node can be made and no sysfs of the host's network mounted. */
  readonly userNamespace: boolean;
  /** There is but one id in it, and no group of terminals. */
  readonly singleId: boolean;
  readonly hostNetwork: boolean;
  /** Hide what tells of the host. */
  readonly masks: boolean;
  /** The user namespace is entered only now: what needs more than its ids reach is opened before, and made. */
  readonly laterUserNamespace: boolean;
}

/** The ops of a list of mounts, and the slots of those that others refer to. */
export interface Mounted {
  /** Before the user namespace is entered; nothing where there is none to enter. */
  readonly outside: Program;
  readonly ops: Program;
  readonly dev?: number;
  readonly devpts?: number;
}

const QUIET = MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOEXEC;

/** Make a filesystem that is mounted nowhere yet; its slot is `out`. */
function detached(fsname: string, options: readonly (readonly [key: string, value: string])[], attributes: number, out: number, slots: SlotAllocator): Program {
  const context = slots();
  return [
    { op: 'fsopen', fsname, flags: FSOPEN_CLOEXEC, out: context },
    // What /proc/mounts shows as the device.
    ...([['source', fsname], ...options] as const).map(([key, value]): Op => ({ op: 'fsconfig', fd: context, cmd: FSCONFIG.SET_STRING, key, value, aux: -1 })),
    { op: 'fsconfig', fd: context, cmd: FSCONFIG.CMD_CREATE, key: null, value: null, aux: -1 },
    { op: 'fsmount', fd: context, flags: FSMOUNT_CLOEXEC, mount_attrs: attributes, out },
    { op: 'close', fd: context },
  ];
}

/** Attach a detached mount at a path inside the root, which is made when missing. */
function attach(
  mount: number,
  destination: string,
  directory: boolean,
  { root, slots }: Pick<MountContext, 'root' | 'slots'>,
  options: { readonly ignore?: readonly string[] } = {},
): Program {
  const target = slots();
  return [
    { op: 'mkpath', rootfd: root, directory: directory ? 1 : 0, mode: directory ? 0o755 : 0o644, out: target, pathname: destination, ...options },
    {
      op: 'move_mount',
      from_dirfd: mount,
      from_pathname: '',
      to_dirfd: target,
      to_pathname: '',
      flags: MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH,
      ...options,
    },
    { op: 'close', fd: target, ...options },
  ];
}

/** Mount all, in order; every mount is made detached, then attached to a descriptor. */
export function mountAll(mounts: readonly Mount[], context: MountContext): Mounted {
  const ops: Op[] = [];
  const outside: Op[] = context.laterUserNamespace ? [] : ops;
  const later: Op[] = [];
  let dev: number | undefined;
  let devpts: number | undefined;
  let proc: number | undefined;
  let sys: number | undefined;
  const { slots } = context;
  const fresh = (fsname: string, options: readonly (readonly [string, string])[], attributes: number, destination: string, made = ops): number => {
    const slot = slots();
    made.push(...detached(fsname, options, attributes, slot, slots));
    ops.push(...attach(slot, destination, true, context));
    return slot;
  };
  const bind = (mount: BindMount): void => {
    const tree = slots();
    outside.push(...openBind(mount, tree, slots));
    ops.push(...attachBind(mount, tree, context));
  };
  for (const mount of mounts) {
    switch (mount.type) {
      case 'proc':
        proc = fresh('proc', mount.hidepid === undefined ? [] : [['hidepid', String(mount.hidepid)]], QUIET, mount.destination, outside);
        break;
      case 'sysfs':
        if (context.userNamespace && context.hostNetwork) {
          bind({ type: 'bind', source: '/sys', destination: mount.destination, directory: true, readonly: true });
        } else sys = fresh('sysfs', [], QUIET | (mount.writable ? 0 : MOUNT_ATTR.RDONLY), mount.destination);
        break;
      case 'mqueue':
        ops.push({ op: 'close', fd: fresh('mqueue', [], QUIET, mount.destination) });
        break;
      case 'dev':
        dev = fresh(
          'tmpfs',
          [
            ['mode', '755'],
            ['size', '65536k'],
          ],
          MOUNT_ATTR.NOSUID | MOUNT_ATTR.NOEXEC,
          mount.destination,
        );
        ops.push(...deviceNodes(dev, mount.devices ?? [], context));
        break;
      case 'devpts': {
        const owner: (readonly [string, string])[] = context.singleId ? [] : [['gid', '5']];
        devpts = fresh('devpts', [...owner, ['mode', '620'], ['ptmxmode', '666']], MOUNT_ATTR.NOSUID | MOUNT_ATTR.NOEXEC, mount.destination);
        break;
      }
      case 'tmpfs':
        ops.push({ op: 'close', fd: fresh('tmpfs', tmpfsOptions(mount), tmpfsAttributes(mount), mount.destination) });
        break;
      case 'bind':
        bind(mount);
        break;
      case 'cgroup2':
        ops.push({ op: 'close', fd: fresh('cgroup2', [], QUIET | MOUNT_ATTR.RDONLY, mount.destination) });
        break;
      case 'made':
        outside.push(...mount.program);
        ops.push(...attach(mount.mount, mount.destination, true, context), { op: 'close', fd: mount.mount });
        break;
      case 'own':
        ops.push(...ontoItself(mount.destination, context));
        break;
      case 'file':
        if (dev === undefined)
          throw new NamespaceError({
            code: 'FILE_WITHOUT_DEV',
            message: `the file ${mount.destination} is listed before any 'dev' mount, which is to hold it`,
            hint: "Put { type: 'dev', destination: '/dev' } before it.",
          });
        ops.push(...memoryFile(mount, dev, context));
        break;
    }
  }
  if (dev !== undefined && context.masks) later.push(...masked({ proc, sys, dev }, slots));
  return {
    outside: outside === ops ? [] : outside,
    ops: [...ops, ...later],
    ...(dev === undefined ? {} : { dev }),
    ...(devpts === undefined ? {} : { devpts }),
  };
}

function tmpfsOptions(mount: TmpfsMount): (readonly [string, string])[] {
  const options: (readonly [string, string])[] = [['mode', mount.mode ?? '1777']];
  if (mount.size !== undefined) options.push(['size', mount.size]);
  if (mount.uid !== undefined) options.push(['uid', String(mount.uid)]);
  if (mount.gid !== undefined) options.push(['gid', String(mount.gid)]);
  if (mount.nrInodes !== undefined) options.push(['nr_inodes', mount.nrInodes]);
  return options;
}

function tmpfsAttributes(mount: TmpfsMount): number {
  return (
    (mount.exec ? 0 : MOUNT_ATTR.NOEXEC) | (mount.suid ? 0 : MOUNT_ATTR.NOSUID) | (mount.dev ? 0 : MOUNT_ATTR.NODEV) | (mount.readonly ? MOUNT_ATTR.RDONLY : 0)
  );
}

/** Write it into the tmpfs of /dev, bind it where it is to be, and take its name away. */
function memoryFile(mount: FileMount, dev: number, context: MountContext): Program {
  const tree = context.slots();
  const name = '.file';
  return [
    { op: 'write_file', dirfd: dev, flags: O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC, mode: 0o644, pathname: name, data: mount.content },
    { op: 'open_tree', dirfd: dev, pathname: name, flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC, out: tree },
    ...attach(tree, mount.destination, false, context),
    { op: 'unlinkat', dirfd: dev, pathname: name, flags: 0 },
    { op: 'close', fd: tree },
  ];
}

/** A mount of the same directory, with flags of its own: those of the root are set later, and not on this one. */
function ontoItself(destination: string, { root, slots }: MountContext): Program {
  const [target, tree] = [slots(), slots()];
  return [
    { op: 'mkpath', rootfd: root, directory: 1, mode: 0o755, out: target, pathname: destination },
    { op: 'open_tree', dirfd: target, pathname: '', flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | AT.EMPTY_PATH, out: tree },
    {
      op: 'move_mount',
      from_dirfd: tree,
      from_pathname: '',
      to_dirfd: target,
      to_pathname: '',
      flags: MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH,
    },
    { op: 'close', fd: target },
    { op: 'close', fd: tree },
  ];
}

/** A piece of the host for the inside: without devices and set-user-id, read-only all the way down if asked. */
function openBind(mount: BindMount, tree: number, slots: SlotAllocator): Program {
  const flags = OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | AT.RECURSIVE;
  return [
    ...(mount.expected
      ? openExpected(mount.source, mount.expected, flags, tree, slots)
      : ([{ op: 'open_tree', dirfd: AT_FDCWD, pathname: mount.source, flags, out: tree, ...(mount.optional ? { ignore: ['ENOENT'] } : {}) }] as const)),
    {
      op: 'mount_setattr',
      dirfd: tree,
      pathname: '',
      flags: AT.EMPTY_PATH | AT.RECURSIVE,
      attr_set: MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | (mount.readonly ? MOUNT_ATTR.RDONLY : 0) | (mount.idmap === undefined ? 0 : MOUNT_ATTR.IDMAP),
      attr_clr: 0,
      propagation: 0,
      userns_fd: mount.idmap ?? -1,
      ...absentToo(mount),
    },
  ];
}

/** A copy of the mount of an object that has to be a certain one. */
function openExpected(source: string, expected: ObjectIdentity, flags: number, tree: number, slots: SlotAllocator): Program {
  const object = slots();
  return [
    ...openObject(source, expected, object),
    { op: 'open_tree', dirfd: object, pathname: '', flags: flags | AT.EMPTY_PATH, out: tree },
    { op: 'close', fd: object },
  ];
}

function attachBind(mount: BindMount, tree: number, context: MountContext): Program {
  return [...attach(tree, mount.destination, mount.directory, context, absentToo(mount)), { op: 'close', fd: tree, ...absentToo(mount) }];
}

/** What was not there to be opened is not attached, either. */
function absentToo({ optional }: BindMount): { readonly ignore?: readonly string[] } {
  return optional ? { ignore: ['EBADF'] } : {};
}
