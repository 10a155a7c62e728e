import { existsSync } from 'node:fs';
import path from 'node:path';
import { DEFAULT_NODES, STDIO_LINKS } from '@lamella/namespace';
import { AT, AT_FDCWD, MOUNT_ATTR, MOVE_MOUNT, MS, mountSetattr, OPEN_TREE, type Op, S_IF, type SlotAllocator } from '@lamella/syscall';
import type { OciDevice } from '../config/schema.js';
import { withPurpose } from '../errors/op-purposes.js';
import { expectOutsideProc } from './proc-guard.js';

/** The devices of config-linux.md, "Default Devices". */
export const DEFAULT_DEVICES: readonly OciDevice[] = DEFAULT_NODES.map(([name, major, minor]) => ({
  path: `/dev/${name}`,
  type: 'c',
  major,
  minor,
  fileMode: 0o666,
  uid: 0,
  gid: 0,
}));

export interface DeviceContext {
  readonly slots: SlotAllocator;
  readonly root: number;
  /** Whether nodes cannot be made here, so that nodes from outside are bound instead. */
  readonly userNamespace: boolean;
  /** Slots of nodes that were made outside, see {@link nodesOutside}. For other devices the host's own nodes are bound. */
  readonly outside: ReadonlyMap<OciDevice, number>;
}

/** Returns the devices of a container: the configured ones, and the default ones that it does not configure. */
export function allDevices(asked: readonly OciDevice[]): OciDevice[] {
  return [...DEFAULT_DEVICES.filter((each) => !asked.some(({ path: file }) => path.posix.normalize(file) === each.path)), ...asked];
}

/**
 * Returns ops by which root makes the nodes for a user namespace outside of it, in the state directory. The caller removes their names,
 * `device-N`, once the container has its mounts: the kernel does not move a node without a name.
 *
 * @param directory slot of the state directory
 * @param owner returns the owner on the host
 */
export function nodesOutside(
  all: readonly OciDevice[],
  directory: number,
  slots: SlotAllocator,
  owner: (device: OciDevice) => { readonly uid: number; readonly gid: number },
): { readonly ops: Op[]; readonly slots: ReadonlyMap<OciDevice, number> } {
  const made = new Map(all.filter(({ type }) => type !== 'p').map((device) => [device, slots()]));
  const ops = [...made].flatMap(([device, out]) => {
    const { uid, gid } = owner(device);
    const name = `device-${out}`;
    return withPurpose(`the device ${device.path}`, [
      { op: 'mknodat', dirfd: directory, pathname: name, mode: modeOf(device), major: device.major ?? 0, minor: device.minor ?? 0 },
      // The umask of this process must not apply.
      { op: 'fchmodat', dirfd: directory, pathname: name, mode: (device.fileMode ?? 0o666) & 0o7777 },
      { op: 'fchownat', dirfd: directory, pathname: name, owner: uid, group: gid, flags: AT.SYMLINK_NOFOLLOW },
      { op: 'open_tree', dirfd: directory, pathname: name, flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC, out },
      // The state directory may be on a mount with nodev.
      mountSetattr(out, { set: MOUNT_ATTR.NOSUID | MOUNT_ATTR.NOEXEC, clear: MOUNT_ATTR.NODEV, propagation: MS.PRIVATE }),
    ]);
  });
  return { ops, slots: made };
}

function modeOf({ type, fileMode }: OciDevice): number {
  return { c: S_IF.IFCHR, u: S_IF.IFCHR, b: S_IF.IFBLK, p: S_IF.IFIFO }[type] | ((fileMode ?? 0o666) & 0o7777);
}

/**
 * Returns the ops that make the nodes and links of /dev, and the configured devices. An existing node stays: the caller checks
 * with `checkDevices` that it is the right one.
 */
export function deviceOps(asked: readonly OciDevice[], context: DeviceContext): Op[] {
  const { slots, root } = context;
  const defaults = allDevices(asked).filter((each) => !asked.includes(each));
  const dev = slots();
  const core = existsSync('/proc/kcore') ? [['core', '/proc/kcore'] as const] : [];
  return [
    ...defaults.flatMap((each) => withPurpose(`the device ${each.path}`, node(each, context))),
    ...asked.flatMap((each, i) => withPurpose(`linux.devices[${i}] ${each.path}`, node(each, context))),
    ...withPurpose('the links in /dev', [
      { op: 'mkpath', rootfd: root, directory: 1, mode: 0o755, out: dev, pathname: '/dev' },
      expectOutsideProc('/dev', { root, target: dev }),
      ...[...STDIO_LINKS, ...core].map(([name, target]): Op => ({ op: 'symlinkat', newdirfd: dev, linkpath: name, target, ignore: ['EEXIST'] })),
      { op: 'symlinkat', newdirfd: dev, linkpath: 'ptmx', target: 'pts/ptmx', replace: true },
      { op: 'close', fd: dev },
    ]),
  ];
}

/** Returns the ops that make one device and the directories above it. */
function node(device: OciDevice, { slots, root, userNamespace, outside }: DeviceContext): Op[] {
  const file = path.posix.normalize(device.path);
  const name = path.posix.basename(file);
  const parent = slots();
  const open: Op[] = [
    { op: 'mkpath', rootfd: root, directory: 1, mode: 0o755, out: parent, pathname: path.posix.dirname(file) },
    expectOutsideProc(path.posix.dirname(file), { root, target: parent }),
  ];
  if (userNamespace && device.type !== 'p') {
    const made = outside.get(device);
    const [source, target] = [made ?? slots(), slots()];
    return [
      ...open,
      ...(made === undefined ? [{ op: 'open_tree', dirfd: AT_FDCWD, pathname: file, flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC, out: source } as const] : []),
      { op: 'mkpath', rootfd: root, directory: 0, mode: 0o644, out: target, pathname: file },
      expectOutsideProc(file, { root, target }),
      { op: 'move_mount', from_dirfd: source, from_pathname: '', to_dirfd: target, to_pathname: '', flags: MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH },
      { op: 'close', fd: target },
      { op: 'close', fd: source },
      { op: 'close', fd: parent },
    ];
  }
  return [
    ...open,
    {
      op: 'mknodat',
      dirfd: parent,
      pathname: name,
      mode: modeOf(device),
      major: device.major ?? 0,
      minor: device.minor ?? 0,
      ignore: ['EEXIST'],
    },
    { op: 'fchownat', dirfd: parent, pathname: name, owner: device.uid ?? 0, group: device.gid ?? 0, flags: AT.SYMLINK_NOFOLLOW },
    { op: 'close', fd: parent },
  ];
}

/** Returns the ops that bind the slave of a terminal to /dev/console. */
export function consoleOps(slave: number, { slots, root }: Pick<DeviceContext, 'slots' | 'root'>): Op[] {
  const [file, tree] = [slots(), slots()];
  return withPurpose('the terminal at /dev/console', [
    { op: 'mkpath', rootfd: root, directory: 0, mode: 0o600, out: file, pathname: '/dev/console' },
    expectOutsideProc('/dev/console', { root, target: file }),
    { op: 'open_tree', dirfd: slave, pathname: '', flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | AT.EMPTY_PATH, out: tree },
    { op: 'move_mount', from_dirfd: tree, from_pathname: '', to_dirfd: file, to_pathname: '', flags: MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH },
    { op: 'close', fd: tree },
    { op: 'close', fd: file },
  ]);
}
