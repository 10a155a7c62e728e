import { type Claim, claim, claimAgain, reclaim, releaseContainer } from '@lamella/cleanup';
import { inUserNamespace } from '@lamella/namespace';
import { LOCK, O, type Op, openObject, ownMountNamespace, type Program, type SlotAllocator } from '@lamella/syscall';
import { givenAt } from '../../filesystem/sources/check-sources.js';
import { makeUserNamespace } from '../../isolation/userns.js';
import type { Source } from '../../model/source.js';
import type { PlannedClaims } from './claims.js';
import type { PlannedDirectories } from './directories.js';
import type { PlannedFilesystem } from './filesystem.js';
import type { PlannedIdentity } from './identity.js';
import type { PlannedLimits } from './limits.js';
import type { PlannedNetwork } from './network.js';
import type { PlanRequest } from './plan-request.js';

/** The results of all phases, and the ops of those that are programs. */
export interface Phases {
  readonly identity: PlannedIdentity;
  readonly network: PlannedNetwork;
  readonly filesystem: PlannedFilesystem;
  readonly limits: PlannedLimits;
  readonly directories: PlannedDirectories;
  readonly claims: PlannedClaims;
  /** Writes the config. */
  readonly record: Program;
  readonly supervision: Program;
  readonly process: Program;
}

/** The caller's umask must not decide who may enter the container's root. */
const UMASK: Op = { op: 'umask', mask: 0o022 };

/** Puts the ops of all phases into the order in which they run. */
export function assemble(request: PlanRequest, phases: Phases, slots: SlotAllocator): Program {
  const program = request.spec.workspace === undefined ? inStore(request, phases, slots) : inWorkspace(request, request.spec.workspace, phases, slots);
  if (phases.filesystem.monitorNamespace) return [...ownMountNamespace(), ...program];
  return request.spec.host ? program : inUserNamespace(program);
}

function inStore({ life }: PlanRequest, phases: Phases, slots: SlotAllocator): Program {
  const { identity, network, filesystem, limits, directories, claims } = phases;
  return [
    UMASK,
    ...(life.again ? claimAgain(identity.record, claims.claims, slots, life.left) : claim(identity.record, claims.claims, slots)),
    claims.onExit,
    ...claims.lockLayers,
    ...phases.record,
    ...(limits.group?.create ?? []),
    ...directories.make,
    ...phases.supervision,
    ...(identity.ids && identity.userns !== undefined ? [makeUserNamespace(identity.ids, identity.userns)] : []),
    ...filesystem.mountByFuse,
    ...network.program,
    ...phases.process,
  ];
}

function inWorkspace({ sources }: PlanRequest, workspace: string, phases: Phases, slots: SlotAllocator): Program {
  const { identity, network, filesystem, limits, directories, claims } = phases;
  const empties = directories.ofRoot.map((each): Claim => ({ kind: 'empty', path: each }));
  return [
    UMASK,
    ...lockWorkspace(givenAt(sources, workspace), slots(), slots()),
    // If another process creates one of these directories now, mkdir fails, and theirs is not removed.
    ...claim(identity.record, empties, slots, { durable: true }),
    { op: 'on_exit', program: releaseContainer(identity.record, empties) },
    ...phases.record,
    ...directories.make,
    ...reclaim(identity.record, claims.claims, slots),
    claims.onExit,
    ...phases.supervision,
    ...(limits.group?.create ?? []),
    ...(filesystem.mountedOnHost ? filesystem.mountRoot : []),
    ...filesystem.mountByFuse,
    ...network.program,
    ...phases.process,
  ];
}

/** Returns ops that lock the directory of a workspace: one run at a time. The monitor holds the lock. */
function lockWorkspace(workspace: Source, object: number, slot: number): Program {
  return [
    ...openObject(workspace.path, workspace.identity, object),
    { op: 'openat', dirfd: object, pathname: '.', flags: O.RDONLY | O.DIRECTORY | O.CLOEXEC, mode: 0, out: slot },
    { op: 'flock', fd: slot, operation: LOCK.EX | LOCK.NB },
  ];
}
