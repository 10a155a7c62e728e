import { statSync } from 'node:fs';
import path from 'node:path';
import { AT, AT_FDCWD, MOUNT_ATTR, MOVE_MOUNT, MS, mountSetattr, OPEN_TREE, type Op, openInRoot, type SlotAllocator } from '@lamella/syscall';
import type { OciMount } from '../config/schema.js';
import { OciError } from '../errors/oci-error.js';
import { withPurpose } from '../errors/op-purposes.js';
import { type CgroupView, cgroupMount } from './cgroup-mount.js';
import { copyUp } from './copy-up.js';
import { attributesOf, type MountPlan, planMount } from './mount-options.js';
import { guardProc } from './proc-guard.js';

/** What all mounts of a container share. */
export interface MountContext {
  readonly slots: SlotAllocator;
  /** Slot of the container's root directory. */
  readonly root: number;
  /** Absolute path of the root, and of the bundle. */
  readonly rootfs: string;
  readonly bundle: string;
  /**
   * Whether sources of bind mounts are opened on the host, before the container's namespaces are entered. Only root can, and in a user
   * namespace the sources may be out of reach later. Otherwise each is opened in turn, so that mountinfo keeps the configured order.
   */
  readonly fromHost: boolean;
  /** Default propagation of mounts from the host: MS_*, or 0 to keep it. */
  readonly propagation: number;
  /** Slots of user namespaces for idmapped mounts, by the index of the mount. */
  readonly idmaps: ReadonlyMap<number, number>;
  readonly cgroups: CgroupView;
  /** SELinux label of mounts, where SELinux is enabled. */
  readonly mountLabel: string | undefined;
}

/** Ops by when they run: in the host's namespaces, in the container's, and once everything is mounted. */
export interface MountOps {
  readonly outside: Op[];
  readonly inside: Op[];
  readonly later: Op[];
}

/** The context with slots that each mount opens and closes. */
interface EachMount extends MountContext {
  readonly target: number;
  readonly seen: number;
}

const ATIME = 0x70;
const PROPAGATION = MS.SHARED | MS.SLAVE | MS.PRIVATE | MS.UNBINDABLE;

/**
 * Returns the ops of the mounts of config.json, in order (config.md, "Mounts"). Destinations are looked up inside the root, and
 * made when missing.
 */
export function mountOps(mounts: readonly OciMount[], context: MountContext): MountOps {
  const ops: MountOps = { outside: [], inside: [], later: [] };
  const seen = context.slots();
  const target = context.slots();
  for (const [i, mount] of mounts.entries()) {
    const plan = planMount(mount);
    const each = { ...context, target, seen };
    const made = plan.bind && !plan.remount ? bind(mount, plan, i, each) : plan.remount ? remount(mount, plan, each) : fresh(mount, plan, i, each);
    const kernels = mount.type === 'proc' || mount.type === 'sysfs';
    const purpose = `mounts[${i}] onto ${mount.destination}${kernels ? ` (${mount.type} must be mounted on ordinary directory)` : ''}`;
    ops.outside.push(...withPurpose(purpose, made.outside));
    ops.inside.push(...withPurpose(purpose, made.inside));
    ops.later.push(...withPurpose(purpose, made.later));
  }
  return ops;
}

function bind(mount: OciMount, plan: MountPlan, index: number, context: EachMount): MountOps {
  const { target, root } = context;
  const tree = context.slots();
  const beside = guardProc(`mounts[${index}]`, mount.destination, { root, target, tree });
  const source = path.resolve(context.bundle, mount.source ?? '');
  const found = statSync(source, { throwIfNoEntry: false });
  if (!found)
    throw new OciError({
      code: 'MOUNT_SOURCE_MISSING',
      message: `mounts[${index}] onto ${mount.destination}: cannot bind ${source}: no such file or directory`,
      hint: 'Create the source of the bind mount first.',
    });
  const whole = plan.bind === 'rbind' ? AT.RECURSIVE : 0;
  const take: Op[] = [
    { op: 'open_tree', dirfd: AT_FDCWD, pathname: source, flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | whole, out: tree },
    ...beside.source,
    ...(context.fromHost && context.propagation ? [mountSetattr(tree, { propagation: context.propagation & PROPAGATION, recursive: true })] : []),
  ];
  const idmap = context.idmaps.get(index);
  const set = attributesOf(plan.flags);
  const clear = attributesOf(plan.cleared) | (set & ATIME || plan.flags & MS.RELATIME ? ATIME : 0);
  const attributes: Op[] = [
    ...(idmap === undefined ? [] : [mountSetattr(tree, { set: MOUNT_ATTR.IDMAP, userns: idmap, recursive: plan.idmap === 'ridmap' })]),
    ...(set || clear ? [mountSetattr(tree, { set, clear: clear & ~(set & ~ATIME) })] : []),
    ...recursive(tree, plan),
  ];
  return {
    outside: context.fromHost ? [...take, ...attributes] : [],
    inside: [
      ...(context.fromHost ? [] : [...take, ...attributes]),
      {
        op: 'mkpath',
        rootfd: context.root,
        directory: found.isDirectory() ? 1 : 0,
        mode: found.isDirectory() ? 0o755 : 0o644,
        out: target,
        pathname: mount.destination,
      },
      ...beside.target,
      { op: 'move_mount', from_dirfd: tree, from_pathname: '', to_dirfd: target, to_pathname: '', flags: MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH },
      ...propagate(tree, plan),
      { op: 'close', fd: target },
      { op: 'close', fd: tree },
    ],
    later: [],
  };
}

/** Returns the ops of a new filesystem. It is mounted onto the working directory, so that no path is looked up twice. */
function fresh(mount: OciMount, plan: MountPlan, index: number, context: EachMount): MountOps {
  const { target, root } = context;
  const type = mount.type ?? '';
  if (type === 'cgroup' || type === 'cgroup2')
    return {
      outside: [],
      later: [],
      inside: cgroupMount(
        mount.destination,
        plan,
        context.cgroups,
        context,
        (at) => guardProc(`mounts[${index}]`, mount.destination, { root, target: at }).target,
      ),
    };
  // directoryAt opens it without following links.
  const beside = type === 'proc' ? [] : guardProc(`mounts[${index}]`, mount.destination, { root, target }).target;
  // A tmpfs becomes read-only later, because devices and copied files are still written to it.
  const readonlyLater = Boolean(plan.flags & MS.RDONLY) && type === 'tmpfs';
  const label = context.mountLabel && !['proc', 'sysfs', 'mqueue'].includes(type) ? `context="${context.mountLabel}"` : '';
  const data = [plan.data, label].filter(Boolean).join(',');
  const copied =
    plan.tmpcopyup && type === 'tmpfs' ? copyUp(mount.destination, context, `mounts[${index}] onto ${mount.destination}`) : { before: [], after: [] };
  return {
    outside: [],
    inside: [
      ...directoryAt(mount.destination, target, context, type === 'proc' || type === 'sysfs'),
      ...beside,
      ...copied.before,
      { op: 'fchdir', fd: target },
      {
        op: 'mount',
        source: mount.source || type,
        target: '.',
        filesystemtype: type,
        mountflags: readonlyLater ? plan.flags & ~MS.RDONLY : plan.flags,
        data: data || null,
      },
      { op: 'chdir', path: '/' },
      { op: 'close', fd: target },
      ...copied.after,
      ...afterwards(mount.destination, plan, context),
    ],
    later: readonlyLater ? atDestination(mount.destination, context, (fd) => [mountSetattr(fd, { set: MOUNT_ATTR.RDONLY })]) : [],
  };
}

function remount(mount: OciMount, plan: MountPlan, context: EachMount): MountOps {
  const inside = plan.bind
    ? atDestination(mount.destination, context, (fd) => [mountSetattr(fd, { set: attributesOf(plan.flags), clear: attributesOf(plan.cleared) })])
    : atDestination(mount.destination, context, (fd) => [
        { op: 'fchdir', fd },
        { op: 'mount', source: null, target: '.', filesystemtype: null, mountflags: MS.REMOUNT | plan.flags, data: plan.data || null },
        { op: 'chdir', path: '/' },
      ]);
  return { outside: [], inside: [...inside, ...afterwards(mount.destination, plan, context)], later: [] };
}

/** Returns the ops that open a destination. For proc and sysfs it must not be behind a link of the image (CVE-2023-27561). */
function directoryAt(destination: string, out: number, { root, seen: made }: EachMount, withoutLinks: boolean): Op[] {
  if (!withoutLinks) return [{ op: 'mkpath', rootfd: root, directory: 1, mode: 0o755, out, pathname: destination }];
  return [
    { op: 'mkpath', rootfd: root, directory: 1, mode: 0o755, out: made, pathname: destination },
    { op: 'close', fd: made },
    openInRoot(root, destination, out, { directory: true, symlinks: false }),
  ];
}

/** Returns ops on the mount that is at a destination now. */
function atDestination(destination: string, { root, seen: fd }: EachMount, make: (fd: number) => Op[]): Op[] {
  return [openInRoot(root, destination, fd), ...make(fd), { op: 'close', fd }];
}

function afterwards(destination: string, plan: MountPlan, context: EachMount): Op[] {
  if (!plan.propagation.length && !plan.recursive.set && !plan.recursive.clear) return [];
  return atDestination(destination, context, (fd) => [...recursive(fd, plan), ...propagate(fd, plan)]);
}

function recursive(fd: number, { recursive: { set, clear } }: MountPlan): Op[] {
  return set || clear ? [mountSetattr(fd, { set, clear, recursive: true })] : [];
}

function propagate(fd: number, plan: MountPlan): Op[] {
  return plan.propagation.map((flags) => mountSetattr(fd, { propagation: flags & PROPAGATION, recursive: (flags & MS.REC) !== 0 }));
}
