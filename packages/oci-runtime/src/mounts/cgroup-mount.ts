import { AT_FDCWD, MOUNT_ATTR, MOVE_MOUNT, MS, mountSetattr, O, OPEN_TREE, type Op, openInRoot, type SlotAllocator } from '@lamella/syscall';
import type { MountPlan } from './mount-options.js';

/** One hierarchy of cgroups on the host. */
interface CgroupHierarchy {
  /** The name of its directory below /sys/fs/cgroup; empty for the only one. */
  readonly name: string;
  /** Controllers as mount(2)'s data, `cpu,cpuacct` or `name=systemd`; undefined for version 2. */
  readonly controllers: string | undefined;
  /** Absolute directory of the container's own cgroup there. */
  readonly directory: string;
}

/** The part of the host's cgroups that a container sees. */
export interface CgroupView {
  readonly hierarchies: readonly CgroupHierarchy[];
  /** Whether the container has a cgroup namespace. */
  readonly namespace: boolean;
}

/**
 * Returns the ops of a mount of type `cgroup`: the hierarchy with version 2; a directory with one mount per hierarchy with
 * version 1. Without a cgroup namespace the container's own part is bound.
 */
export function cgroupMount(
  destination: string,
  plan: MountPlan,
  view: CgroupView,
  { root, slots }: { readonly root: number; readonly slots: SlotAllocator },
  /** Returns the ops that check the target, see `guardProc`. */
  checks: (target: number) => readonly Op[],
): Op[] {
  const [only] = view.hierarchies;
  if (!only) return [];
  const target = slots();
  const flags = plan.flags & ~MS.RDONLY;
  const readonly = Boolean(plan.flags & MS.RDONLY);
  const open: Op[] = [{ op: 'mkpath', rootfd: root, directory: 1, mode: 0o755, out: target, pathname: destination }, ...checks(target)];
  const reopen = (out: number): Op => openInRoot(root, destination, out, { directory: true });
  const leave: Op[] = [
    { op: 'chdir', path: '/' },
    { op: 'close', fd: target },
  ];
  if (!only.name) return [...open, ...put(only, target, plan.flags, view.namespace, slots), ...leave];
  const top = slots();
  const below = view.hierarchies.flatMap((each): Op[] => {
    const directory = slots();
    return [
      { op: 'mkdirat', dirfd: top, pathname: each.name, mode: 0o755 },
      { op: 'openat', dirfd: top, pathname: each.name, flags: O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC, mode: 0, out: directory },
      ...put(each, directory, plan.flags, view.namespace, slots),
      { op: 'chdir', path: '/' },
      { op: 'close', fd: directory },
      // Links `cpu` and `cpuacct` lead to `cpu,cpuacct`.
      ...each.name.split(',').flatMap((name): Op[] => (name === each.name ? [] : [{ op: 'symlinkat', newdirfd: top, linkpath: name, target: each.name }])),
    ];
  });
  return [
    ...open,
    { op: 'fchdir', fd: target },
    { op: 'mount', source: 'tmpfs', target: '.', filesystemtype: 'tmpfs', mountflags: flags, data: 'mode=755' },
    ...leave,
    reopen(top),
    ...below,
    ...(readonly ? [mountSetattr(top, { set: MOUNT_ATTR.RDONLY })] : []),
    { op: 'close', fd: top },
  ];
}

function put(hierarchy: CgroupHierarchy, directory: number, flags: number, namespace: boolean, slots: SlotAllocator): Op[] {
  if (namespace)
    return [
      { op: 'fchdir', fd: directory },
      {
        op: 'mount',
        source: 'cgroup',
        target: '.',
        filesystemtype: hierarchy.controllers === undefined ? 'cgroup2' : 'cgroup',
        mountflags: flags,
        data: hierarchy.controllers ?? null,
      },
    ];
  const tree = slots();
  return [
    { op: 'open_tree', dirfd: AT_FDCWD, pathname: hierarchy.directory, flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC, out: tree },
    mountSetattr(tree, { set: MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOEXEC | (flags & MS.RDONLY ? MOUNT_ATTR.RDONLY : 0) }),
    { op: 'move_mount', from_dirfd: tree, from_pathname: '', to_dirfd: directory, to_pathname: '', flags: MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH },
    { op: 'close', fd: tree },
  ];
}
