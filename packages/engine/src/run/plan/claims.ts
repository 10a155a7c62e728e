import path from 'node:path';
import { freezerDirectories } from '@lamella/cgroup';
import { type Claim, releaseContainer, releaseKept } from '@lamella/cleanup';
import type { OverlayStack } from '@lamella/overlay';
import { AT_FDCWD, END_SERVED, LOCK, O, type Op, type Program, type SlotAllocator } from '@lamella/syscall';
import { endFuseViews } from '../../filesystem/fuse-overlays.js';
import { openScaffold } from '../../filesystem/host/host-program.js';
import { scaffoldOf } from '../../filesystem/writable-mounts.js';
import { rangeLinksOf } from '../../isolation/userns.js';
import type { RunSpec } from '../../model/run-spec.js';
import { takeNameAway } from '../../store/generated-names.js';
import type { PlannedDirectories } from './directories.js';
import type { PlannedFilesystem } from './filesystem.js';
import type { PlannedIdentity } from './identity.js';
import type { PlannedLimits } from './limits.js';
import type { PlannedNetwork } from './network.js';
import type { PlanRequest } from './plan-request.js';

/** What the container holds while it runs, and what releases it. */
export interface PlannedClaims {
  /** Ops that take shared locks on the layers, so that an image in use is not removed. */
  readonly lockLayers: Program;
  readonly claims: readonly Claim[];
  /** The program that runs when the container has ended, whatever ended it. */
  readonly onExit: Op;
}

export function planClaims(
  { spec, lowers, life }: PlanRequest,
  { record, directory, name, id, ids }: PlannedIdentity,
  network: PlannedNetwork,
  { stack, others, fuse, mountedOnHost, mountByFuse }: PlannedFilesystem,
  { cgroup, group }: PlannedLimits,
  { mountPoints }: PlannedDirectories,
  slots: SlotAllocator,
): PlannedClaims {
  const cgroups = [...(group?.directories ?? []), ...(life.detached ? freezerDirectories(cgroup) : [])].map((each): Claim => ({ kind: 'empty', path: each }));
  const claims = [...claimsOf(spec, stack, [...others.map(({ workdir }) => workdir), ...mountPoints], mountedOnHost), ...cgroups];
  const range = rangeLinksOf(record.containers, spec.userns, ids);
  const isServed = mountByFuse.length > 0 || network.program.length > 0;
  return {
    lockLayers: lowers.locks.flatMap((lock) => lockLayer(lock, slots())),
    claims,
    onExit: {
      op: 'on_exit',
      program: [
        ...endFuseViews(fuse),
        ...(isServed ? [END_SERVED] : []),
        ...(spec.host ? openScaffold(spec.host, scaffoldOf(directory)) : []),
        ...(group?.events(spec.keep ? path.join(directory, 'oom') : undefined) ?? []),
        ...(spec.keep ? [] : range.map((pathname): Op => ({ op: 'unlinkat', dirfd: AT_FDCWD, pathname, flags: 0 }))),
        ...(spec.keep && !spec.removeAtEnd
          ? releaseKept(record, claims)
          : [...releaseContainer(record, claims), ...(name === undefined ? [] : takeNameAway(record.containers, name, id))]),
      ],
    },
  };
}

function lockLayer(lock: string, slot: number): Program {
  return [
    { op: 'openat', dirfd: AT_FDCWD, pathname: lock, flags: O.RDONLY | O.CLOEXEC, mode: 0, out: slot },
    { op: 'flock', fd: slot, operation: LOCK.SH | LOCK.NB },
  ];
}

/**
 * Returns what is to be released besides the container's directory, or before it where that is kept. A container that is neither kept nor in
 * a workspace has everything in its directory.
 *
 * @param beside directories of the other overlays
 */
export function claimsOf(
  spec: Pick<RunSpec, 'workspace' | 'keep'>,
  { upperdir, workdir, merged }: Pick<OverlayStack, 'upperdir' | 'workdir' | 'merged'>,
  beside: readonly string[],
  mountedOnHost: boolean,
): readonly Claim[] {
  if (!spec.workspace && !spec.keep) return [];
  return [
    ...beside.map((each): Claim => ({ kind: 'directory', path: each })),
    ...(upperdir === undefined || spec.keep ? [] : [{ kind: 'directory', path: upperdir } as const]),
    ...(workdir === undefined ? [] : [{ kind: 'directory', path: workdir } as const]),
    { kind: 'directory', path: merged },
    ...(mountedOnHost ? [{ kind: 'mount', path: merged, ...(upperdir === undefined ? {} : { upperdir }) } as const] : []),
  ];
}
