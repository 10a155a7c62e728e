import {
  AT_FDCWD,
  CLONE,
  MNT,
  MONITOR_AWAY,
  MONITOR_ENDED,
  MONITOR_INPUT,
  MONITOR_RAW,
  MOUNT_ATTR,
  MOVE_MOUNT,
  MS,
  mapSingleId,
  mountSetattr,
  O,
  OPEN_TREE,
  type Op,
  PR,
  type Program,
  type SlotAllocator,
  slotAllocator,
} from '@lamella/syscall';
import { DEFAULT_CAPABILITIES, prctl } from '../identity/capabilities.js';
import { become, becomeRoot } from '../identity/identity.js';
import { cloneFlags, defaultNamespaces } from '../identity/namespace-flags.js';
import { setrlimit } from '../identity/setrlimit.js';
import { NamespaceError } from '../model/namespace-error.js';
import type { Namespaces, ProcessSpec } from '../model/process-spec.js';
import { PROCESS_SPEC, read } from '../model/spec-shapes.js';
import { DEFAULT_MOUNTS } from '../mounts/mount.js';
import { mountAll } from '../mounts/mount-program.js';
import { openTerminal, TTY_GROUP, takeTerminal } from '../mounts/terminal.js';
import { lastOps, seccompFilter } from './last-ops.js';
import { loopbackUp } from './loopback.js';
import { workingDirectory } from './working-directory.js';

const SIGKILL = 9;
const KEYCTL_JOIN_SESSION_KEYRING = 1;

/**
 * The ops that put a process into a container: one `setsid`, so that the user's terminal signals
 * nobody but Node, then one `clone`, whose caller stays as the monitor.
 *
 * @throws NamespaceError `ROOTFS_INVALID`, `COMMAND_MISSING`, `RLIMIT_UNKNOWN`, `HOSTNAME_INVALID`,
 * `TERMINAL_WITHOUT_DEVPTS`, `FILE_WITHOUT_DEV`
 */
export function enter(given: ProcessSpec, slots: SlotAllocator = slotAllocator()): Program {
  const spec = read('enter(spec)', given, PROCESS_SPEC);
  if (!spec.rootfs.startsWith('/') || /^\/+$/.test(spec.rootfs))
    throw new NamespaceError({
      code: 'ROOTFS_INVALID',
      message: `'${spec.rootfs}' cannot become the root of a container`,
      hint: 'Give the absolute path of a directory other than /; a view of / itself needs an overlay on it.',
    });
  const namespaces = spec.namespaces ?? defaultNamespaces();
  const monitor =
    (spec.terminal && spec.input?.forward ? MONITOR_INPUT : 0) |
    (spec.terminal && spec.input?.raw ? MONITOR_RAW : 0) |
    (spec.terminal && spec.input?.later ? MONITOR_AWAY : 0) |
    (spec.terminal && spec.input?.ended ? MONITOR_ENDED : 0);
  return [
    // A group leader cannot, and need not: nobody's terminal signals it.
    { op: 'setsid', ignore: ['EPERM'] },
    {
      op: 'clone',
      flags: cloneFlags(spec.userns === undefined ? { ...namespaces, ...(spec.cgroup ? { cgroup: false } : {}) } : { pid: namespaces.pid === true }),
      monitor,
      cgroup: spec.cgroup?.slot ?? -1,
      program: inside(spec, slots),
    },
  ];
}

function inside(spec: ProcessSpec, slots: SlotAllocator): Program {
  const namespaces = spec.namespaces ?? defaultNamespaces();
  const user = spec.user ?? { uid: 0, gid: 0 };
  const singleId = namespaces.user === true || namespaces.within === 'single';
  const userNamespace = singleId || namespaces.within === true || spec.userns !== undefined;
  const ownId = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  const root = slots();
  const directory = slots();
  const {
    following,
    outside,
    ops: mounts,
    dev,
    devpts,
  } = mountAll(spec.mounts ?? DEFAULT_MOUNTS, {
    slots,
    root,
    userNamespace,
    singleId,
    // The namespace that it enters belongs to the process that made it, and not to a later user namespace.
    hostNetwork: !namespaces.net && (spec.netns === undefined || spec.userns !== undefined),
    masks: spec.masks ?? true,
    laterUserNamespace: spec.userns !== undefined,
  });
  const noNewPrivileges = spec.noNewPrivileges ?? true;
  const filter = seccompFilter(spec);
  const slave = slots();
  const limits = (spec.rlimits ?? []).map(setrlimit);
  if (spec.terminal && devpts === undefined)
    throw new NamespaceError({
      code: 'TERMINAL_WITHOUT_DEVPTS',
      message: 'a terminal was asked for, but no devpts is among the mounts',
      hint: "Add { type: 'devpts', destination: '/dev/pts' }.",
    });
  return [
    prctl(PR.SET_PDEATHSIG, SIGKILL),
    ...(namespaces.user ? mapSingleId(ownId, namespaces.sameId ? ownId : undefined) : []),
    ...(spec.netns === undefined
      ? []
      : ([
          { op: 'setns', fd: spec.netns, nstype: CLONE.NEWNET },
          { op: 'close', fd: spec.netns },
        ] as const)),
    // The namespace shows as its root where the process is when it is made.
    ...(spec.cgroup ? spec.cgroup.join : []),
    ...(spec.cgroup && namespaces.cgroup && spec.userns === undefined ? [{ op: 'unshare', flags: CLONE.NEWCGROUP } as const] : []),
    ...(spec.oomScoreAdj === undefined ? [] : [oomScoreAdj(spec.oomScoreAdj)]),
    // From here to the command nobody may look into this process, or trace it, who could not before.
    prctl(PR.SET_DUMPABLE, 0),
    // The caller's session keyring is not the container's; kernels and quotas without another go without.
    { op: 'keyctl', operation: KEYCTL_JOIN_SESSION_KEYRING, name: null, ignore: ['ENOSYS', 'EPERM', 'EDQUOT', 'EACCES', 'ENOMEM'] },
    { op: 'umask', mask: 0 },
    // What is copied of a mount that follows the host's goes on following it, whatever becomes of the others.
    ...(following.length ? [propagation(MS.SLAVE), ...following] : []),
    propagation(MS.PRIVATE),
    ...(spec.prepare ?? []),
    ...(spec.mounted ? [] : bindOntoItself(spec.rootfs)),
    { op: 'openat', dirfd: AT_FDCWD, pathname: spec.rootfs, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: root },
    ...outside,
    // In a user namespace no limit can be raised.
    ...(spec.userns === undefined ? [] : [...limits, ...enterUserNamespace(spec.userns, root, namespaces)]),
    ...mounts,
    { op: 'mkpath', rootfd: root, directory: 1, mode: 0o755, out: directory, pathname: workingDirectory(spec.cwd) },
    ...(spec.terminal && devpts !== undefined
      ? openTerminal({ dev, devpts }, spec.terminal, { uid: user.uid, group: singleId ? user.gid : TTY_GROUP }, slave, slots)
      : []),
    ...pivot(root),
    { op: 'fchdir', fd: directory },
    ...(spec.readonlyRoot ? [mountSetattr(AT_FDCWD, { set: MOUNT_ATTR.RDONLY }, '/')] : []),
    ...(namespaces.uts && spec.hostname !== undefined ? [hostname(spec.hostname)] : []),
    ...(namespaces.net ? loopbackUp(slots) : []),
    ...(spec.userns === undefined ? limits : []),
    // Without no_new_privs a filter takes CAP_SYS_ADMIN, and so comes before it is given up.
    ...(noNewPrivileges ? [] : filter),
    ...become(user, spec.capabilities ?? DEFAULT_CAPABILITIES, { ambient: spec.ambient ?? [], noNewPrivileges, singleId }),
    { op: 'umask', mask: spec.umask ?? 0o022 },
    // Changing ids cleared it.
    prctl(PR.SET_PDEATHSIG, SIGKILL),
    // The small init must be under the filter, too: who controls it must not gain by that.
    ...(noNewPrivileges && spec.init ? filter : []),
    ...(spec.init && !spec.job ? [{ op: 'init', job: 0 } as const] : []),
    { op: 'setsid' },
    ...(spec.terminal ? takeTerminal(slave) : []),
    // The init leads the session. The kernel does not stop a process group without a parent in its session, such as the command's
    // would be if the command led it (credentials(7), orphaned process groups).
    ...(spec.init && spec.job ? [{ op: 'init', job: 1 } as const] : []),
    ...(spec.hold ? [{ op: 'wait' } as const] : []),
    ...(spec.hold === 'rest' ? [] : lastOps(spec)),
  ];
}

/**
 * Changes from the rights of the starting user to those of the container. All namespaces but that of the pids belong to it
 * from here on; the mounts so far are locked in its own (mount_namespaces(7)), where the root is found again as the
 * current directory.
 */
function enterUserNamespace(userns: number, root: number, { uts, ipc, net, cgroup }: Namespaces): Program {
  const flags = cloneFlags({ uts: uts === true, ipc: ipc === true, net: net === true, cgroup: cgroup === true });
  return [
    { op: 'fchdir', fd: root },
    { op: 'close', fd: root },
    { op: 'setns', fd: userns, nstype: CLONE.NEWUSER },
    { op: 'close', fd: userns },
    ...becomeRoot,
    { op: 'unshare', flags },
    // Once more over itself: a mount that is locked cannot become the root (pivot_root(2)).
    { op: 'open_tree', dirfd: AT_FDCWD, pathname: '.', flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC, out: root },
    { op: 'move_mount', from_dirfd: root, from_pathname: '', to_dirfd: AT_FDCWD, to_pathname: '.', flags: MOVE_MOUNT.F_EMPTY_PATH },
  ];
}

/** How all mounts here share what is mounted with others (mount_namespaces(7)). */
function propagation(type: number): Op {
  return { op: 'mount', source: null, target: '/', filesystemtype: null, mountflags: MS.REC | type, data: null };
}

/** pivot_root(2) wants a mount; devices in a plain directory would be real ones. */
function bindOntoItself(rootfs: string): Program {
  return [
    { op: 'mount', source: rootfs, target: rootfs, filesystemtype: null, mountflags: MS.BIND | MS.REC, data: null },
    mountSetattr(AT_FDCWD, { set: MOUNT_ATTR.NODEV, recursive: true }, rootfs),
  ];
}

/** Swap the root without naming any directory inside it (pivot_root(2), "pivot_root(".", ".")"). */
function pivot(root: number): Program {
  return [
    { op: 'fchdir', fd: root },
    { op: 'pivot_root', new_root: '.', put_old: '.' },
    { op: 'umount2', target: '.', flags: MNT.DETACH },
    { op: 'chdir', path: '/' },
    { op: 'close', fd: root },
  ];
}

function hostname(name: string): Op {
  if (!name || Buffer.byteLength(name) > 64 || name.includes('\0'))
    throw new NamespaceError({
      code: 'HOSTNAME_INVALID',
      message: `'${name}' cannot be a host name`,
      hint: 'It has 1 to 64 bytes (sethostname(2)).',
    });
  return { op: 'sethostname', name };
}

function oomScoreAdj(score: number): Op {
  if (!Number.isInteger(score) || score < -1000 || score > 1000)
    throw new NamespaceError({
      code: 'OOM_SCORE_INVALID',
      message: `${score} is not an oom_score_adj`,
      hint: 'It is a whole number from -1000 to 1000 (proc(5)).',
    });
  return { op: 'write_file', dirfd: AT_FDCWD, pathname: '/proc/self/oom_score_adj', flags: O.WRONLY | O.CLOEXEC, mode: 0, data: `${score}` };
}
