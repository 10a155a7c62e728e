import { existsSync } from 'node:fs';
import path from 'node:path';
import { loopbackUp, prctl, takeTerminal } from '@lamella/namespace';
import { AT_FDCWD, CLONE, LOCK, MOUNT_ATTR, MS, mountSetattr, O, type Op, PR, type Program, S_IF, type SlotAllocator, setRootIds } from '@lamella/syscall';
import type { OciConfig, OciProcess } from '../config/schema.js';
import { withPurpose } from '../errors/op-purposes.js';
import { canSetGroups, isInitialRoot } from '../host/initial-root.js';
import type { Console } from '../model/console.js';
import type { CgroupView } from '../mounts/cgroup-mount.js';
import { allDevices, deviceOps, nodesOutside } from '../mounts/devices.js';
import { maskedPaths, readonlyPaths } from '../mounts/hidden-paths.js';
import { PROPAGATION } from '../mounts/mount-options.js';
import { mountOps } from '../mounts/mount-program.js';
import { newRoot, separateMounts } from '../mounts/new-root.js';
import { rlimits, scheduling } from '../process/attributes.js';
import { execOps, ownStdio } from '../process/exec-ops.js';
import { probeCommand } from '../process/execute.js';
import { allCapabilities, grantable, switchUser } from '../process/identity.js';
import { securityLabels } from '../process/security-labels.js';
import { terminalOps } from '../process/terminal.js';
import type { StateDirectory } from '../state/state-directory.js';
import { hostId, isMapped } from './id-maps.js';
import { type NamespacePlan, planNamespaces } from './namespaces.js';

const KEYCTL_JOIN_SESSION_KEYRING = 1;

export interface ContainerInput {
  readonly slots: SlotAllocator;
  /** Whether the program holds the lock of the container until its monitor leaves. */
  readonly locks: boolean;
  /** Ops that run first. */
  readonly before: Program;
  readonly config: OciConfig;
  readonly bundle: string;
  readonly rootfs: string;
  readonly directory: StateDirectory;
  readonly cgroups: CgroupView;
  readonly console: Console;
  /** Number of the caller's descriptors, from 3 on, that the process inherits. */
  readonly preserveFds: number;
  /** The environment of the process, see `environmentOf`. */
  readonly env: readonly string[];
  readonly noPivot: boolean;
  readonly noNewKeyring: boolean;
  /** Pids whose user namespaces idmapped mounts use, by the index of the mount. */
  readonly idmapOwners: ReadonlyMap<number, number>;
}

/** The creation of a container as programs. Between them Node does what only the host may do. */
export interface ContainerPrograms {
  readonly namespaces: NamespacePlan;
  /** Runs first. Its last op is the clone, whose process waits at once. */
  readonly first: Program;
  readonly clone: Op;
  /** Makes the mounts and everything else that hooks see. Then the process waits. */
  readonly setUp: Program;
  /** Enters the new root, switches to the user, and probes the command. Then the process waits. */
  readonly enter: Program;
  /** Blocks until the container is started, then executes the command. */
  readonly last: Program;
}

export function containerPrograms(input: ContainerInput): ContainerPrograms {
  const { config, directory, preserveFds, slots } = input;
  const linux = config.linux ?? {};
  const namespaces = planNamespaces(linux, slots);
  const userNamespace = namespaces.all.has('user');
  const [lock, state, root, cwd, slave, fifo] = [slots(), slots(), slots(), slots(), slots(), slots()];
  const preserved = Array.from({ length: preserveFds }, slots);
  const shared = linux.rootfsPropagation?.replace(/^r/, '') === 'shared';
  const outer = PROPAGATION[linux.rootfsPropagation || 'rslave'] ?? 0;
  const ownMounts = namespaces.made.has('mount');
  const idmaps = new Map([...input.idmapOwners.keys()].map((mount) => [mount, slots()]));
  const mounts = mountOps(config.mounts ?? [], {
    slots,
    root,
    rootfs: input.rootfs,
    bundle: input.bundle,
    fromHost: process.geteuid?.() === 0 && ownMounts && userNamespace,
    propagation: shared ? 0 : outer,
    idmaps,
    cgroups: input.cgroups,
    mountLabel: linux.mountLabel && existsSync('/sys/fs/selinux/enforce') ? linux.mountLabel : undefined,
  });
  const boundDev = (config.mounts ?? []).some(
    ({ destination, type, options }) =>
      path.posix.normalize(destination) === '/dev' && (type === 'bind' || options?.some((option) => option === 'bind' || option === 'rbind')),
  );
  const fromOutside = userNamespace && ownMounts && !boundDev && isInitialRoot();
  const nodes = nodesOutside(fromOutside ? allDevices(linux.devices ?? []) : [], state, slots, ({ uid = 0, gid = 0 }) => ({
    uid: hostId(linux.uidMappings, uid),
    gid: hostId(linux.gidMappings, gid),
  }));
  const context = { slots, root, userNamespace: userNamespace || !isInitialRoot(), outside: nodes.slots };
  const terminal = terminalOps(config.process, linux, input.console, { slots, root, slave, console: true });
  const attributes = securityLabels(config.process, slots);
  const tail = processTail(input, { state, fifo, taken: slots(), preserved, userNamespace, labels: attributes.late });
  const clone: Op = {
    op: 'clone',
    flags: namespaces.cloneFlags,
    monitor: input.console && 'monitor' in input.console ? input.console.monitor : 0,
    reply: true,
    program: [{ op: 'close', fd: lock }, { op: 'wait' }],
  };
  return {
    namespaces,
    first: [
      ...input.before,
      ...withPurpose('the state directory', [
        // The lock is held by this program, which ends once the container exists; or by Node, if the monitor stays.
        { op: 'openat', dirfd: AT_FDCWD, pathname: directory.lock, flags: O.RDWR | O.CREAT | O.CLOEXEC, mode: 0o600, out: lock },
        ...(input.locks ? [{ op: 'flock', fd: lock, operation: LOCK.EX } as const] : []),
        { op: 'openat', dirfd: AT_FDCWD, pathname: directory.path, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: state },
        ...makeFifo(state, config),
      ]),
      ...preserved.map((out, i): Op => ({ op: 'inherited', number: 5 + i, out })),
      ...terminal.outside,
      ...[...idmaps].map(
        ([mount, out]): Op => ({
          op: 'openat',
          dirfd: AT_FDCWD,
          pathname: `/proc/${input.idmapOwners.get(mount)}/ns/user`,
          flags: O.RDONLY | O.CLOEXEC,
          mode: 0,
          out,
        }),
      ),
      ...mounts.outside,
      ...nodes.ops,
      // In a user namespace no process may raise a limit.
      ...(userNamespace && config.process ? raised(config.process) : []),
      ...namespaces.outside,
      clone,
    ],
    clone,
    setUp: [
      ...(userNamespace ? becomeRoot(linux) : []),
      ...(namespaces.made.has('cgroup') ? withPurpose('the cgroup namespace', [{ op: 'unshare', flags: CLONE.NEWCGROUP }]) : []),
      ...attributes.early,
      // From here to the exec other processes must not trace this one.
      prctl(PR.SET_DUMPABLE, 0),
      ...(input.noNewKeyring
        ? []
        : [
            {
              op: 'keyctl',
              operation: KEYCTL_JOIN_SESSION_KEYRING,
              name: `_ses.${directory.id}`,
              ignore: ['ENOSYS', 'EPERM', 'EDQUOT', 'EACCES', 'ENOMEM'],
            } as const,
          ]),
      { op: 'umask', mask: 0 },
      ...(ownMounts ? separateMounts(outer, shared, input.rootfs) : []),
      ...withPurpose(`root.path ${input.rootfs}`, [
        { op: 'mount', source: input.rootfs, target: input.rootfs, filesystemtype: null, mountflags: MS.BIND | MS.REC, data: null },
        { op: 'openat', dirfd: AT_FDCWD, pathname: input.rootfs, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: root },
      ]),
      ...mounts.inside,
      ...(boundDev ? [] : deviceOps(linux.devices ?? [], context)),
      ...withPurpose('process.cwd', [{ op: 'mkpath', rootfd: root, directory: 1, mode: 0o755, out: cwd, pathname: config.process?.cwd ?? '/' }]),
      ...terminal.inside,
      ...(config.hostname ? withPurpose('hostname', [{ op: 'sethostname', name: config.hostname }]) : []),
      ...(config.domainname ? withPurpose('domainname', [{ op: 'setdomainname', name: config.domainname }]) : []),
      ...(namespaces.made.has('network') ? withPurpose('the loopback device', loopbackUp(slots)) : []),
      ...Object.entries(linux.sysctl ?? {}).flatMap(([key, value]) =>
        withPurpose(`linux.sysctl ${key}`, [
          {
            op: 'write_file',
            dirfd: AT_FDCWD,
            pathname: `/proc/sys/${key.includes('/') ? key : key.replaceAll('.', '/')}`,
            flags: O.WRONLY | O.CLOEXEC,
            mode: 0,
            data: value,
          },
        ]),
      ),
      { ...prctl(PR.SET_DUMPABLE, 0), reply: true },
      { op: 'wait' },
    ],
    enter: [
      ...mounts.later,
      ...maskedPaths(linux.maskedPaths ?? [], root, slots),
      ...readonlyPaths(linux.readonlyPaths ?? [], root, slots),
      ...newRoot(root, slots(), { ownMounts, noPivot: input.noPivot, rootfs: input.rootfs }),
      ...(linux.rootfsPropagation && ownMounts
        ? withPurpose('linux.rootfsPropagation', [{ op: 'mount', source: null, target: '/', filesystemtype: null, mountflags: outer, data: null }])
        : []),
      ...(config.root.readonly
        ? withPurpose('root.readonly', [
            { op: 'openat', dirfd: AT_FDCWD, pathname: '/', flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: root },
            mountSetattr(root, { set: MOUNT_ATTR.RDONLY }),
            { op: 'close', fd: root },
          ])
        : []),
      ...withPurpose('process.cwd', [
        { op: 'fchdir', fd: cwd },
        { op: 'close', fd: cwd },
      ]),
      ...tail.enter,
      { op: 'setsid' },
      ...(terminal.inside.length ? withPurpose('the terminal', takeTerminal(slave)) : []),
      ...(config.process ? probeCommand(config.process.args ?? [], input.env) : []),
      { ...prctl(PR.SET_DUMPABLE, 0), reply: true },
      { op: 'wait' },
    ],
    last: tail.last,
  };
}

/** Returns the ops that make the process root of its user namespace. */
function becomeRoot(linux: NonNullable<OciConfig['linux']>): Op[] {
  const rooted = isMapped(linux.uidMappings, 0) && isMapped(linux.gidMappings, 0);
  return rooted ? withPurpose('linux.uidMappings', setRootIds({ keepDeniedGroups: true })) : [];
}

/** Returns the ops that set limits which may be higher than this process's own. */
function raised(process: OciProcess): Op[] {
  return rlimits(process).map((op) => ({ ...op, ignore: ['EPERM'] }));
}

interface TailContext {
  readonly state: number;
  readonly fifo: number;
  readonly taken: number;
  readonly preserved: readonly number[];
  readonly userNamespace: boolean;
  readonly labels: Op[];
}

/** Returns the ops from the container's root to the user's process. */
function processTail(
  input: ContainerInput,
  { state, fifo, taken, preserved, userNamespace, labels: late }: TailContext,
): { readonly enter: Op[]; readonly last: Op[] } {
  const { config } = input;
  const { process: spec } = config;
  const granted = grantable(userNamespace);
  const wait: Op[] = withPurpose('waiting to be started', [
    // As the user of the process it has no access to the state directory.
    allCapabilities(granted),
    // The creator does not read replies any more, but the descriptor numbers must stay in use.
    { op: 'dup3', fd: state, newfd: 3, flags: O.CLOEXEC },
    { op: 'dup3', fd: state, newfd: 4, flags: O.CLOEXEC },
    { op: 'openat', dirfd: state, pathname: 'exec.fifo', flags: O.WRONLY | O.CLOEXEC, mode: 0, out: fifo },
    { op: 'reply_to', fd: fifo, least: 5 + preserved.length },
  ]);
  if (!spec) return { enter: [], last: wait };
  return {
    enter: [
      ...rlimits(spec),
      ...scheduling(spec, config.linux),
      ...ownStdio(spec),
      ...switchUser(spec, { setgroups: userNamespace ? mayCallSetgroups(config) : canSetGroups() }),
    ],
    last: [
      ...wait,
      ...execOps({ ...spec, env: [...input.env] }, config.linux?.seccomp, {
        granted,
        preserved,
        labels: late,
        untilTaken: [{ op: 'openat', dirfd: state, pathname: 'taken.fifo', flags: O.RDONLY | O.CLOEXEC, mode: 0, out: taken }],
      }),
    ],
  };
}

function mayCallSetgroups({ linux }: OciConfig): boolean {
  return process.geteuid?.() === 0 || !(linux?.gidMappings?.length === 1 && linux.gidMappings[0]?.size === 1);
}

/** Returns the ops that make the fifo on which the process waits. Root of its user namespace owns the fifo, to be able to open it. */
function makeFifo(state: number, { linux }: OciConfig): Op[] {
  const notifies = linux?.seccomp?.listenerPath !== undefined;
  const [owner, group] = [hostId(linux?.uidMappings, 0), hostId(linux?.gidMappings, 0)];
  return [
    { op: 'mknodat', dirfd: state, pathname: 'exec.fifo', mode: S_IF.IFIFO | 0o600, major: 0, minor: 0 },
    // The process may have any user id, and waits on it only briefly.
    ...(notifies
      ? ([
          { op: 'mknodat', dirfd: state, pathname: 'taken.fifo', mode: S_IF.IFIFO | 0o644, major: 0, minor: 0 },
          { op: 'fchmodat', dirfd: state, pathname: 'taken.fifo', mode: 0o644 },
        ] as const)
      : []),
    ...(process.geteuid?.() === 0 && (owner || group) ? [{ op: 'fchownat', dirfd: state, pathname: 'exec.fifo', owner, group, flags: 0 } as const] : []),
  ];
}
