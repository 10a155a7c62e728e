import type { Mount } from '@lamella/namespace';
import type { OverlayStack } from '@lamella/overlay';
import { type Program, type SlotAllocator, slotAllocator } from '@lamella/syscall';
import type { CheckedSources } from '../../filesystem/sources/check-sources.js';
import type { Confinement } from '../../isolation/confinement.js';
import type { ContainerConfig } from '../../model/container-config.js';
import type { CheckedMount } from '../../model/writable-mount.js';
import { assemble } from './assembly.js';
import { planClaims } from './claims.js';
import { planConfig, recordConfig } from './container-record.js';
import { planDirectories } from './directories.js';
import { planFilesystem } from './filesystem.js';
import { planIdentity } from './identity.js';
import { planLimits } from './limits.js';
import { planMounts } from './mounts/mounts.js';
import { planNetwork } from './network.js';
import type { PlanRequest } from './plan-request.js';
import { planProcess } from './process.js';
import { planSupervision } from './supervision.js';

/** A run, decided: the program, and what its caller needs to follow it. */
export interface Plan {
  readonly id: string;
  readonly args: readonly string[];
  readonly program: Program;
  readonly stack: OverlayStack;
  /** What is mounted in its root, in order. */
  readonly mounts: readonly Mount[];
  /** Gives slots that the mounts do not use. */
  readonly slots: SlotAllocator;
  /** The overlays of volumes, and of directories of the host. */
  readonly others: readonly CheckedMount[];
  /** Absolute path of the container's directory in the store. */
  readonly directory: string;
  readonly config: ContainerConfig;
  /** For the last part of the program, where it is written later (`hold: 'rest'`). */
  readonly filter: Pick<Confinement, 'seccomp' | 'noNewPrivileges'>;
  /** The objects of the host that the program expects. */
  readonly sources: CheckedSources;
}

/** The first slot of the mounts of a stopped container: lower ones belong to the programs that read its files (lifecycle/container-root.ts). */
const FIRST_SLOT_WHEN_STOPPED = 30;

/**
 * Decides a run: each phase returns data that the next ones use, and the last one puts the ops in order. Nothing is executed or changed.
 * What is read: the image's passwd, the kinds of volumes and devices, the host's name servers, and which cgroups there are.
 *
 * @throws EngineError `NAME_INVALID`, `VOLUME_INVALID`, `NO_COMMAND`; NamespaceError
 */
export function plan(request: PlanRequest): Plan {
  const slots = slotAllocator(request.life.still ? FIRST_SLOT_WHEN_STOPPED : undefined);
  const identity = planIdentity(request, slots);
  const network = planNetwork(request, identity, slots);
  const filesystem = planFilesystem(request, identity, network, slots);
  const limits = planLimits(request, identity, slots);
  const mounts = planMounts(request, identity, filesystem, limits, network, slots);
  const process = planProcess(request, identity, network, filesystem, limits, mounts, slots);
  const directories = planDirectories(request, identity, filesystem);
  const claims = planClaims(request, identity, network, filesystem, limits, directories, slots);
  const config = planConfig(request, identity);
  const record = recordConfig(request, identity, config, slots);
  const supervision = planSupervision(request, identity, config, slots);
  const phases = { identity, network, filesystem, limits, directories, claims, record, supervision, process };
  return {
    id: identity.id,
    args: identity.args,
    mounts,
    slots,
    program: assemble(request, phases, slots),
    stack: filesystem.stack,
    others: filesystem.others,
    directory: identity.directory,
    config,
    filter: request.confined,
    sources: request.sources,
  };
}
