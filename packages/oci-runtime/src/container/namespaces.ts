import { AT_FDCWD, CLONE, O, type Op, type SlotAllocator } from '@lamella/syscall';
import type { NamespaceType, OciLinux } from '../config/schema.js';
import { withPurpose } from '../errors/op-purposes.js';

const FLAGS: Readonly<Record<NamespaceType, number>> = {
  pid: CLONE.NEWPID,
  network: CLONE.NEWNET,
  mount: CLONE.NEWNS,
  ipc: CLONE.NEWIPC,
  uts: CLONE.NEWUTS,
  user: CLONE.NEWUSER,
  cgroup: CLONE.NEWCGROUP,
  time: CLONE.NEWTIME,
};

/** The namespaces of a container (config-linux.md, "Namespaces"). */
export interface NamespacePlan {
  /** New and joined namespaces. */
  readonly all: ReadonlySet<NamespaceType>;
  readonly made: ReadonlySet<NamespaceType>;
  /** CLONE_NEW* of the namespaces that clone(2) makes. */
  readonly cloneFlags: number;
  /** Ops that open and join existing namespaces, before the clone. */
  readonly outside: Op[];
}

export function planNamespaces(linux: OciLinux | undefined, slots: SlotAllocator): NamespacePlan {
  const given = linux?.namespaces ?? [];
  const made = new Set(given.filter(({ path }) => !path).map(({ type }) => type));
  const joined = given.flatMap(({ type, path }, i) => (path ? [{ type, path, i, slot: slots() }] : []));
  const purpose = (i: number, file: string): string => `linux.namespaces[${i}] ${file}`;
  const enter = ({ type, path, slot, i }: (typeof joined)[number], ignore: readonly string[] = []): Op[] =>
    withPurpose(purpose(i, path), [{ op: 'setns', fd: slot, nstype: FLAGS[type], ...(ignore.length ? { ignore } : {}) }]);
  const [user] = joined.filter(({ type }) => type === 'user');
  const [mount] = joined.filter(({ type }) => type === 'mount');
  const others = joined.filter(({ type }) => type !== 'user' && type !== 'mount');
  const offsets = linux?.timeOffsets;
  return {
    all: new Set(given.map(({ type }) => type)),
    made,
    // The process must be in its cgroup before the cgroup namespace is made. Time offsets must be set before a process is in the namespace.
    cloneFlags: [...made].reduce((sum, type) => (type === 'cgroup' || (type === 'time' && offsets) ? sum : sum + FLAGS[type]), 0),
    outside: [
      ...joined.flatMap(({ type: _, path, slot, i }) =>
        withPurpose(purpose(i, path), [{ op: 'openat', dirfd: AT_FDCWD, pathname: path, flags: O.RDONLY | O.NONBLOCK | O.CLOEXEC, mode: 0, out: slot }]),
      ),
      // A namespace belongs to the joined user namespace or to the outer one: both are tried.
      ...(user ? [...others.flatMap((each) => enter(each, ['EPERM'])), ...enter(user)] : []),
      ...others.flatMap((each) => enter(each)),
      ...(mount ? enter(mount) : []),
      ...(made.has('time') && offsets ? timeOffsets(offsets) : []),
    ],
  };
}

/** Ops for config-linux.md, "Offset for Time Namespace"; see time_namespaces(7). */
function timeOffsets(offsets: NonNullable<OciLinux['timeOffsets']>): Op[] {
  const lines = Object.entries(offsets).map(([clock, { secs = 0, nanosecs = 0 }]) => `${clock} ${secs} ${nanosecs}\n`);
  return withPurpose('linux.timeOffsets', [
    { op: 'unshare', flags: CLONE.NEWTIME },
    { op: 'write_file', dirfd: AT_FDCWD, pathname: '/proc/self/timens_offsets', flags: O.WRONLY | O.CLOEXEC, mode: 0, data: lines.join('') },
  ]);
}

/** Returns the CLONE_NEW* flags for setns(2) with a pidfd. */
export function setnsFlags(kinds: Iterable<NamespaceType>): number {
  return [...kinds].reduce((sum, type) => sum + FLAGS[type], 0);
}
