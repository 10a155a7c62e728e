import { idMapping, type Program, type SlotAllocator } from '@lamella/syscall';
import { pastaNetwork } from '../../isolation/pasta.js';
import { EngineError } from '../../model/engine-error.js';
import type { RunSpec } from '../../model/run-spec.js';
import type { PlannedIdentity } from './identity.js';
import type { PlanRequest } from './plan-request.js';

/** How the container is connected. */
export interface PlannedNetwork {
  readonly kind: NonNullable<RunSpec['network']>;
  /** Slot of the network namespace that the monitor makes for pasta(1). */
  readonly netns: number | undefined;
  /** Ops of the monitor that start pasta(1). */
  readonly program: Program;
  /** The monitor needs a user namespace: it has one id, and makes the network namespace with the rights it has there. */
  readonly needsMonitorNamespace: boolean;
}

/** @throws EngineError `PUBLISH_INVALID`, `USERNS_INVALID` */
export function planNetwork({ spec, life }: PlanRequest, { directory, keepsSingleId }: PlannedIdentity, slots: SlotAllocator): PlannedNetwork {
  const kind = spec.network ?? 'none';
  // A command in an existing container may use another network than the one its ports are published with.
  if (!life.again) checkPublish(spec);
  if (kind !== 'pasta') return { kind, netns: undefined, program: [], needsMonitorNamespace: false };
  if (keepsSingleId)
    throw new EngineError({
      code: 'USERNS_INVALID',
      message: '--userns keep-id cannot be combined with --network pasta where the user has one id only',
      hint: 'Add id ranges for the user to /etc/subuid and /etc/subgid, or leave out one of the two options.',
    });
  const netns = slots();
  return { kind, netns, program: pastaNetwork(directory, spec.publish ?? [], netns, slots), needsMonitorNamespace: idMapping().kind === 'single' };
}

/** @throws EngineError `PUBLISH_INVALID` for ports with a network that cannot publish them */
export function checkPublish({ network = 'none', publish }: Pick<RunSpec, 'network' | 'publish'>): void {
  if (!publish?.length || network === 'pasta') return;
  throw new EngineError({
    code: 'PUBLISH_INVALID',
    message: `cannot publish ports with the network '${network}'`,
    hint:
      network === 'host'
        ? "With the host's network the container's ports are the host's: leave out --publish."
        : 'Use pasta to publish ports: --network pasta.',
  });
}
