import { AT, AT_FDCWD, MOVE_MOUNT, O, type ObjectIdentity, OPEN_TREE, type Op, openObject, type Program, S_IF } from '@lamella/syscall';
import { NamespaceError } from '../model/namespace-error.js';
import type { DeviceNode } from './mount.js';
import type { MountContext } from './mount-context.js';

/** The character devices of every container (OCI runtime-spec, config-linux.md, "Default Devices"): name, major, minor. */
export const DEFAULT_NODES = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
] as const;

/** The links in its /dev ("Default Filesystems"): name, target. */
export const STDIO_LINKS = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
] as const;

const LINKS = [...STDIO_LINKS, ['core', '/proc/kcore'], ['ptmx', 'pts/ptmx']] as const;

/** Fill a fresh `/dev`, whose root is slot `dev`. @throws NamespaceError `MOUNT_REFUSED` */
export function deviceNodes(dev: number, devices: readonly DeviceNode[], context: Pick<MountContext, 'slots' | 'userNamespace'>): Program {
  // The same two for all of them, each in its turn: a machine may have more devices than a program has slots.
  const bound = { node: context.slots(), file: context.slots() };
  const nodes = DEFAULT_NODES.flatMap(([name, major, minor]): Op[] =>
    context.userNamespace
      ? bindNode(dev, `/dev/${name}`, name, bound)
      : [{ op: 'mknodat', dirfd: dev, pathname: name, mode: S_IF.IFCHR | 0o666, major, minor }],
  );
  const links = LINKS.map(([name, target]): Op => ({ op: 'symlinkat', newdirfd: dev, linkpath: name, target }));
  checkNames(devices);
  return [...nodes, ...links, ...devices.flatMap((device) => deviceNode(dev, device, context.userNamespace ? bound : undefined))];
}

/** Refuses a device below a link or below another device. @throws NamespaceError `MOUNT_REFUSED` */
function checkNames(devices: readonly DeviceNode[]): void {
  const files = new Map([
    ...LINKS.map(([name, target]) => [name, `a link to ${target}`] as const),
    ...[...DEFAULT_NODES.map(([name]) => name), ...devices.map(({ name }) => name)].map((name) => [name, 'a device'] as const),
  ]);
  for (const { name } of devices) {
    const parents = name
      .split('/')
      .slice(0, -1)
      .map((_, i, all) => all.slice(0, i + 1).join('/'));
    const file = parents.find((each) => files.has(each));
    if (file === undefined) continue;
    throw new NamespaceError({
      code: 'MOUNT_REFUSED',
      message: `cannot create the device /dev/${name}: /dev/${file} is ${files.get(file)}`,
      hint: 'Choose another name for it.',
    });
  }
}

/** Returns ops for a new node and its directories. In a user namespace they bind the host's node. */
function deviceNode(dev: number, device: DeviceNode, bound: BoundNode | undefined): Op[] {
  const { name, type, major, minor, mode, uid, gid } = device;
  const parents = name.split('/').slice(0, -1);
  const directories = parents.map((_, i): Op => ({ op: 'mkdirat', dirfd: dev, pathname: parents.slice(0, i + 1).join('/'), mode: 0o755, ignore: ['EEXIST'] }));
  if (bound) {
    // As a node would: it replaces a standard link.
    const link: Op[] = LINKS.some(([each]) => each === name) ? [{ op: 'unlinkat', dirfd: dev, pathname: name, flags: 0 }] : [];
    return [...directories, ...link, ...bindNode(dev, device.source, name, bound, device.expected)];
  }
  return [
    ...directories,
    // One of the standard nodes may be asked for again.
    { op: 'mknodat', dirfd: dev, pathname: name, mode: (type === 'block' ? S_IF.IFBLK : S_IF.IFCHR) | (mode & 0o777), major, minor, replace: true },
    { op: 'fchownat', dirfd: dev, pathname: name, owner: uid, group: gid, flags: AT.SYMLINK_NOFOLLOW },
  ];
}

/** Slots for the host's node and for the file that it is bound onto; free again afterwards. */
interface BoundNode {
  readonly node: number;
  readonly file: number;
}

/** In a user namespace the host's own node is bound onto an empty file. */
function bindNode(dev: number, source: string, name: string, { node, file }: BoundNode, expected?: ObjectIdentity): Op[] {
  const flags = OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC;
  return [
    ...(expected
      ? ([
          ...openObject(source, expected, file),
          { op: 'open_tree', dirfd: file, pathname: '', flags: flags | AT.EMPTY_PATH, out: node },
          { op: 'close', fd: file },
        ] as const)
      : ([{ op: 'open_tree', dirfd: AT_FDCWD, pathname: source, flags, out: node }] as const)),
    { op: 'openat', dirfd: dev, pathname: name, flags: O.WRONLY | O.CREAT | O.NOFOLLOW | O.CLOEXEC, mode: 0o666, out: file },
    { op: 'close', fd: file },
    { op: 'move_mount', from_dirfd: node, from_pathname: '', to_dirfd: dev, to_pathname: name, flags: MOVE_MOUNT.F_EMPTY_PATH },
    { op: 'close', fd: node },
  ];
}
