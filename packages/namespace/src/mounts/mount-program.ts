import {
  AT,
  AT_FDCWD,
  FSCONFIG,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR,
  MOVE_MOUNT,
  mountSetattr,
  O,
  type ObjectIdentity,
  OPEN_TREE,
  type Op,
  openInRoot,
  openObject,
  type Program,
  type SlotAllocator,
} from '@lamella/syscall';
import { NamespaceError } from '../model/namespace-error.js';
import { deviceNodes } from './devices.js';
import { masked } from './masks.js';
import type { BindMount, FileMount, Mount, TmpfsMount } from './mount.js';
import type { MountContext } from './mount-context.js';
import { confiningPlaces, type Landing, landingOf } from './places.js';

/** The ops of a list of mounts, and the slots of those that others refer to. */
export interface Mounted {
  /** While the mounts of the host are still followed; nothing where none of them is. */
  readonly following: Program;
  /** Before the user namespace is entered; nothing where there is none to enter. */
  readonly outside: Program;
  readonly ops: Program;
  readonly dev?: number;
  readonly devpts?: number;
}

/** Returns an op that bears names which another process removed, closed or replaced. What was not made cannot be attached (EBADF). */
function attempt(program: Program): Op {
  return { op: 'attempt', program, ignore: ['ENOENT', 'ENOTDIR', 'EACCES', 'ESTALE', 'ELOOP', 'EBADF'] };
}

const QUIET = MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOEXEC;

/** Makes a filesystem that is mounted nowhere yet; its slot is `out`. */
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

/** What the mounts of one list share beside their context. */
interface ListContext extends MountContext {
  /** Absolute paths at and below which other mounts get by their exact paths only. */
  readonly places: readonly string[];
}

/**
 * Opens the target of a mount, inside the root, in the slot `target`; it is made when missing. The descriptor shows where it is: neither a link nor a race leads a mount to where it may not be. That of an optional one is not made.
 */
function openTarget(target: number, { destination, exact }: Landing, directory: boolean, { root, places }: ListContext, optional = false): Program {
  return [
    optional
      ? openInRoot(root, destination, target, { directory })
      : { op: 'mkpath', rootfd: root, directory: directory ? 1 : 0, mode: directory ? 0o755 : 0o644, out: target, pathname: destination },
    { op: 'landed', rootfd: root, fd: target, exact: exact ? 1 : 0, pathname: destination, outside: places.map((place) => `${place}\0`).join('') },
  ];
}

/** Attaches a detached mount at a path inside the root. */
function attach(mount: number, landing: Landing, directory: boolean, context: ListContext, optional = false): Program {
  const target = context.slots();
  return [
    ...openTarget(target, landing, directory, context, optional),
    {
      op: 'move_mount',
      from_dirfd: mount,
      from_pathname: '',
      to_dirfd: target,
      to_pathname: '',
      flags: MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH,
    },
    { op: 'close', fd: target },
  ];
}

/**
 * Mounts all, in order; every mount is made detached, then attached to a descriptor. Masks come last.
 *
 * @throws NamespaceError `MOUNT_REFUSED`, `FILE_WITHOUT_DEV`
 */
export function mountAll(mounts: readonly Mount[], shared: MountContext): Mounted {
  const context: ListContext = { ...shared, places: confiningPlaces(mounts) };
  const ops: Op[] = [];
  const outside: Op[] = context.laterUserNamespace ? [] : ops;
  const later: Op[] = [];
  const following: Op[] = [];
  let dev: number | undefined;
  let devpts: number | undefined;
  const { slots } = context;
  const fresh = (fsname: string, options: readonly (readonly [string, string])[], attributes: number, landing: Landing, made = ops): number => {
    const slot = slots();
    if (context.still) {
      // Others are mounted below it before it becomes read-only.
      made.push(...detached('tmpfs', fsname === 'tmpfs' ? options : [['mode', '755']], attributes & ~MOUNT_ATTR.RDONLY, slot, slots));
      const kept = slots();
      later.push(mountSetattr(kept, { set: MOUNT_ATTR.RDONLY }), { op: 'close', fd: kept });
      ops.push({ op: 'openat', dirfd: slot, pathname: '.', flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: kept });
    } else made.push(...detached(fsname, options, attributes, slot, slots));
    ops.push(...attach(slot, landing, true, context));
    return slot;
  };
  const attachOwn = (
    mount: number,
    landing: Landing,
    { directory = true, optional = false, propagation }: Pick<Partial<BindMount>, 'directory' | 'optional' | 'propagation'>,
    make: Program,
  ): void => {
    const place: Program = [...attach(mount, landing, directory, context, optional), { op: 'close', fd: mount }];
    (propagation === 'slave' ? following : outside).push(...(optional ? [attempt(make)] : make));
    ops.push(...(optional ? [attempt(place)] : place));
  };
  const bind = (mount: BindMount, landing: Landing): void => {
    const tree = slots();
    attachOwn(tree, landing, mount, openBind(mount, tree, landing.type, slots));
  };
  for (const mount of mounts) {
    const landing = landingOf(mount, mounts, context.places);
    switch (mount.type) {
      case 'proc':
        ops.push({
          op: 'close',
          fd: fresh('proc', mount.hidepid === undefined ? [] : [['hidepid', String(mount.hidepid)]], QUIET, landing, outside),
        });
        break;
      case 'sysfs':
        if (context.userNamespace && context.hostNetwork && !context.still) {
          bind({ type: 'bind', source: '/sys', destination: mount.destination, directory: true, readonly: true }, landing);
        } else ops.push({ op: 'close', fd: fresh('sysfs', [], QUIET | (mount.writable ? 0 : MOUNT_ATTR.RDONLY), landing) });
        break;
      case 'mqueue':
        ops.push({ op: 'close', fd: fresh('mqueue', [], QUIET, landing) });
        break;
      case 'dev':
        dev = fresh(
          'tmpfs',
          [
            ['mode', '755'],
            ['size', '65536k'],
          ],
          MOUNT_ATTR.NOSUID | MOUNT_ATTR.NOEXEC,
          landing,
        );
        if (!context.still) ops.push(...deviceNodes(dev, mount.devices ?? [], context));
        break;
      case 'devpts': {
        const owner: (readonly [string, string])[] = context.singleId ? [] : [['gid', '5']];
        devpts = fresh('devpts', [...owner, ['mode', '620'], ['ptmxmode', '666']], MOUNT_ATTR.NOSUID | MOUNT_ATTR.NOEXEC, landing);
        break;
      }
      case 'tmpfs':
        ops.push({ op: 'close', fd: fresh('tmpfs', tmpfsOptions(mount), tmpfsAttributes(mount), landing) });
        break;
      case 'bind':
        bind(mount, landing);
        break;
      case 'cgroup2':
        ops.push({ op: 'close', fd: fresh('cgroup2', [], QUIET | MOUNT_ATTR.RDONLY, landing) });
        break;
      case 'made':
        attachOwn(mount.mount, landing, { optional: mount.optional ?? false }, mount.program);
        break;
      case 'own':
        ops.push(...ontoItself(landing, context));
        break;
      case 'file':
        if (dev === undefined)
          throw new NamespaceError({
            code: 'FILE_WITHOUT_DEV',
            message: `the file ${mount.destination} is listed before any 'dev' mount, which is to hold it`,
            hint: "Put { type: 'dev', destination: '/dev' } before it.",
          });
        ops.push(...memoryFile(mount, landing, dev, context));
        break;
    }
  }
  if (context.masks) later.push(...masked(mounts, { slots, root: context.root, dev, userNamespace: context.userNamespace }));
  return {
    following,
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

/** Writes it into the tmpfs of /dev, binds it where it is to be, and takes its name away. */
function memoryFile(mount: FileMount, landing: Landing, dev: number, context: ListContext): Program {
  const tree = context.slots();
  const name = '.file';
  return [
    { op: 'write_file', dirfd: dev, flags: O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC, mode: 0o644, pathname: name, data: mount.content },
    { op: 'open_tree', dirfd: dev, pathname: name, flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC, out: tree },
    // One that hides another in /proc, /sys or /dev is not to be written to, either.
    ...((landing.exact && mount.content.length === 0) || context.still ? [mountSetattr(tree, { set: MOUNT_ATTR.RDONLY })] : []),
    ...(mount.optional
      ? [{ op: 'attempt', program: attach(tree, landing, false, context), ignore: ['ENOENT', 'EROFS', 'EACCES', 'EPERM'] } as const]
      : attach(tree, landing, false, context)),
    { op: 'unlinkat', dirfd: dev, pathname: name, flags: 0 },
    { op: 'close', fd: tree },
  ];
}

/** A mount of the same directory, with separate flags: those of the root are set later, and not on this one. */
function ontoItself(landing: Landing, context: ListContext): Program {
  const [target, tree] = [context.slots(), context.slots()];
  return [
    ...openTarget(target, landing, true, context),
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

/** A piece of the host for the inside: without set-user-id, and devices unless asked; read-only all the way down if asked. */
function openBind(mount: BindMount, tree: number, type: number | undefined, slots: SlotAllocator): Program {
  const flags = OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | ((mount.recursive ?? true) ? AT.RECURSIVE : 0);
  return [
    ...(mount.expected
      ? openExpected(mount.source, mount.expected, flags, tree, slots)
      : ([{ op: 'open_tree', dirfd: AT_FDCWD, pathname: mount.source, flags, out: tree }] as const)),
    ...(type === undefined ? [] : [{ op: 'expect_type', fd: tree, type } as const]),
    mountSetattr(tree, {
      set:
        MOUNT_ATTR.NOSUID | (mount.dev ? 0 : MOUNT_ATTR.NODEV) | (mount.readonly ? MOUNT_ATTR.RDONLY : 0) | (mount.idmap === undefined ? 0 : MOUNT_ATTR.IDMAP),
      ...(mount.idmap === undefined ? {} : { userns: mount.idmap }),
      recursive: mount.recursive ?? true,
    }),
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
