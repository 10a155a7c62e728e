import { slotAllocator } from '@lamella/syscall';
import type { ContainerConfig } from '../../model/container-config.js';
import type { RunSpec } from '../../model/run-spec.js';
import { type PlannedIdentity, planIdentity } from './identity.js';
import type { PlanRequest } from './plan-request.js';

/** Returns a request for a run of an image without layers, in a store that need not exist. */
export function requestFor(spec: Partial<RunSpec> = {}, more: Partial<PlanRequest> = {}): PlanRequest {
  return {
    spec: { image: 'busybox', args: ['true'], name: 'box', ...spec },
    root: '/nowhere/store',
    lowers: { trees: [], locks: [], diffIDs: [], config: { env: [], entrypoint: [], cmd: [] } },
    features: { lowerdirPlus: false },
    confined: { noNewPrivileges: true } as PlanRequest['confined'],
    sources: { container: 'box', now: new Map() },
    life: {},
    fresh: { id: 'abcdefabcdef', name: undefined, created: '2026-01-02T03:04:05.678Z' },
    ...more,
  };
}

export function identityFor(request: PlanRequest): PlannedIdentity {
  return planIdentity(request, slotAllocator());
}

/** Returns what matters of the config of a container that exists. */
export function existing(more: Partial<ContainerConfig> = {}): ContainerConfig {
  return { id: 'abcdefabcdef', image: 'busybox', spec: { image: 'busybox' }, ...more } as ContainerConfig;
}
