import { type ContainerRecord, lockOf } from '@lamella/cleanup';
import { becomeRoot, type Mount, mountStoppedRoot } from '@lamella/namespace';
import { hasLowerdirPlus, methodFor, type OverlayStack, overlayMount } from '@lamella/overlay';
import {
  AT_FDCWD,
  CLONE,
  idMapping,
  LOCK,
  O,
  type Op,
  ownMountNamespace,
  type Program,
  RESOLVE,
  runInUserNamespace,
  type SlotAllocator,
  SyscallError,
} from '@lamella/syscall';
import type { RunSpec } from '../../model/run-spec.js';
import type { CheckedMount } from '../../model/writable-mount.js';

/** The files of a container, for copying: those that its processes see, or what they would see when it has none. */
export type ContainerFiles = {
  readonly spec: Pick<RunSpec, 'volumes' | 'tmpfs' | 'readonlyRoot' | 'host'>;
  /** Whether it has a separate user namespace. */
  readonly shifted: boolean;
} & (
  | { readonly kind: 'running'; readonly pid: number }
  | {
      readonly kind: 'stopped';
      readonly record: ContainerRecord;
      readonly stack: OverlayStack;
      readonly mounts: readonly Mount[];
      /** See {@link Plan.slots}. */
      readonly slots: SlotAllocator;
      readonly others: readonly CheckedMount[];
    }
);

/** Slots that the readers and writers of files leave free. */
export const ROOT = 20;
export const PLACE = 21;
const HELD = 22;
export const DEV = 23;

/** How a path in a container is looked up from its root: no link leads out of it, even one that is made meanwhile (CVE-2018-15664). */
export const IN_CONTAINER: number = RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS;

/** The root of a container, for programs. */
export interface Place {
  /** Ops after which the slot {@link ROOT} is the container's root, with all that is mounted in it. */
  readonly program: Program;
  /** Which ids a program has there. */
  readonly ids: 'host' | 'full' | 'single';
  /** Takes away what was made for it. */
  leave(): Promise<void>;
}

/** Returns the op that opens a path in the container, links followed, in the slot `out`. */
export function openBelow(pathname: string, flags: number = O.PATH | O.DIRECTORY | O.CLOEXEC, out: number = PLACE): Op {
  return { op: 'openat2', dirfd: ROOT, pathname, flags, mode: 0, resolve: IN_CONTAINER, out };
}

export async function enterFiles(files: ContainerFiles): Promise<Place> {
  const root = (pathname: string): Op => ({ op: 'openat', dirfd: AT_FDCWD, pathname, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: ROOT });
  if (files.kind === 'running')
    return {
      program: [
        { op: 'pidfd_open', pid: files.pid, flags: 0, out: HELD },
        { op: 'setns', fd: HELD, nstype: CLONE.NEWNS | (idMapping().kind === 'host' && !files.shifted ? 0 : CLONE.NEWUSER) },
        { op: 'close', fd: HELD },
        ...(files.shifted ? becomeRoot : []),
        root('/'),
      ],
      ids: files.shifted ? 'full' : idMapping().kind,
      leave: async () => undefined,
    };
  const { stack, record, mounts, slots, others, spec } = files;
  const lowerdirPlus = methodFor(stack, { lowerdirPlus: false }) !== 'mount' && (await hasLowerdirPlus());
  const lock: Program = [
    { op: 'openat', dirfd: AT_FDCWD, pathname: lockOf(record), flags: O.RDWR | O.CLOEXEC, mode: 0, out: HELD },
    { op: 'flock', fd: HELD, operation: LOCK.EX | LOCK.NB },
  ];
  const made = [stack.workdir, stack.merged, ...others.map(({ workdir }) => workdir)].filter((each) => each !== undefined);
  return {
    program: [
      ...ownMountNamespace(),
      ...lock,
      { op: 'umask', mask: 0 },
      ...made.map((pathname): Op => ({ op: 'mkdirat', dirfd: AT_FDCWD, pathname, mode: 0o755, ignore: ['EEXIST'] })),
      ...overlayMount(stack, methodFor(stack, { lowerdirPlus }), slots),
      root(stack.merged),
      ...mountStoppedRoot(mounts, { root: ROOT, readonlyRoot: spec.readonlyRoot ?? false }, slots),
    ],
    ids: idMapping().kind,
    // Its mounts went with its namespace; the directories go when nobody uses them again.
    async leave() {
      await runInUserNamespace([...lock, ...made.map((pathname): Op => ({ op: 'rmtree', dirfd: AT_FDCWD, pathname }))]).catch((error: unknown) => {
        // Started, or removed, in the meantime: the container uses them now, or they are gone.
        if (!(error instanceof SyscallError && (error.op.op === 'flock' || error.op.op === 'openat'))) throw error;
      });
    },
  };
}
