import {
  AT_FDCWD,
  CLONE,
  MONITOR_ENDED,
  MONITOR_INPUT,
  MONITOR_RAW,
  O,
  type Op,
  openInRoot,
  PR,
  type Program,
  type SlotAllocator,
  slotAllocator,
} from '@lamella/syscall';
import { DEFAULT_CAPABILITIES, prctl } from '../identity/capabilities.js';
import { become, becomeRoot } from '../identity/identity.js';
import { setrlimit } from '../identity/setrlimit.js';
import type { JoinSpec } from '../model/join-spec.js';
import { JOIN_SPEC, read } from '../model/spec-shapes.js';
import { openDevpts, TTY_GROUP, takeTerminal } from '../mounts/terminal.js';
import { lastOps, seccompFilter } from './last-ops.js';
import { workingDirectory } from './working-directory.js';

const SIGKILL = 9;

/**
 * The ops that put a process beside those of a container, with no more rights than they have: it is
 * found by a pidfd, joined by setns(2), and nothing of the host's is open in what is executed. The
 * caller, which becomes the monitor, is in its namespaces, too, but not among its processes.
 *
 * @throws NamespaceError `COMMAND_MISSING`, `CWD_INVALID`
 */
export function join(given: JoinSpec, slots: SlotAllocator = slotAllocator()): Program {
  const spec = read('join(spec)', given, JOIN_SPEC);
  const pidfd = slots();
  const groups = (spec.cgroups?.directories ?? []).map((directory) => ({ directory, slot: slots() }));
  const bornIn = spec.cgroups?.version === 2 ? groups[0]?.slot : undefined;
  const monitor =
    (spec.terminal && spec.input?.forward ? MONITOR_INPUT : 0) |
    (spec.terminal && spec.input?.raw ? MONITOR_RAW : 0) |
    (spec.terminal && spec.input?.ended ? MONITOR_ENDED : 0);
  return [
    { op: 'setsid', ignore: ['EPERM'] },
    { op: 'pidfd_open', pid: spec.pid, flags: 0, out: pidfd },
    ...groups.map(
      ({ directory, slot }): Op => ({ op: 'openat', dirfd: AT_FDCWD, pathname: directory, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: slot }),
    ),
    { op: 'setns', fd: pidfd, nstype: namespaceFlags(spec.namespaces) },
    { op: 'close', fd: pidfd },
    { op: 'clone', flags: 0, monitor, cgroup: bornIn ?? -1, program: inside(spec, bornIn === undefined ? groups.map(({ slot }) => slot) : [], slots) },
  ];
}

function namespaceFlags(namespaces: JoinSpec['namespaces']): number {
  return (
    CLONE.NEWNS +
    (namespaces.user || namespaces.within || namespaces.shifted ? CLONE.NEWUSER : 0) +
    (namespaces.pid ? CLONE.NEWPID : 0) +
    (namespaces.uts ? CLONE.NEWUTS : 0) +
    (namespaces.ipc ? CLONE.NEWIPC : 0) +
    (namespaces.net ? CLONE.NEWNET : 0) +
    (namespaces.cgroup ? CLONE.NEWCGROUP : 0)
  );
}

function inside(spec: JoinSpec, cgroups: readonly number[], slots: SlotAllocator): Program {
  const user = spec.user ?? { uid: 0, gid: 0 };
  const singleId = spec.namespaces.user === true;
  const noNewPrivileges = spec.noNewPrivileges ?? true;
  const [root, directory, devpts, slave] = [slots(), slots(), slots(), slots()];
  const cwd = workingDirectory(spec.cwd);
  return [
    // Those that are there already may not look into this one.
    prctl(PR.SET_DUMPABLE, 0),
    prctl(PR.SET_PDEATHSIG, SIGKILL),
    ...cgroups.map((dirfd): Op => ({ op: 'write_file', dirfd, pathname: 'cgroup.procs', flags: O.WRONLY | O.CLOEXEC, mode: 0, data: '0' })),
    ...(spec.namespaces.shifted ? becomeRoot : []),
    { op: 'openat', dirfd: AT_FDCWD, pathname: '/', flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: root },
    openInRoot(root, cwd, directory, { directory: true }),
    ...(spec.terminal
      ? ([
          openDevpts(root, devpts),
          { op: 'pty', dirfd: devpts, ...spec.terminal, owner: user.uid, group: singleId ? user.gid : TTY_GROUP, out: slave, master: -1 },
        ] as const)
      : []),
    { op: 'fchdir', fd: directory },
    ...(spec.rlimits ?? []).map(setrlimit),
    ...(noNewPrivileges ? [] : seccompFilter(spec)),
    ...become(user, spec.capabilities ?? DEFAULT_CAPABILITIES, { ambient: spec.ambient ?? [], noNewPrivileges, singleId }),
    { op: 'umask', mask: spec.umask ?? 0o022 },
    prctl(PR.SET_PDEATHSIG, SIGKILL),
    { op: 'setsid' },
    ...(spec.terminal ? takeTerminal(slave) : []),
    ...lastOps(spec),
  ];
}
