import { type CgroupPlan, canLimitByDefault, planCgroup, type Resources } from '@lamella/cgroup';
import type { SlotAllocator } from '@lamella/syscall';
import type { RunSpec } from '../../model/run-spec.js';
import { cgroupName } from '../../store/identifiers.js';
import type { PlannedIdentity } from './identity.js';
import type { PlanRequest } from './plan-request.js';

/** How much the container may use. */
export interface PlannedLimits {
  /** Name of its cgroup on this machine. */
  readonly cgroup: string;
  /** What makes and removes the cgroup; undefined where nothing is limited. */
  readonly group: CgroupPlan | undefined;
}

/** @throws CgroupError for limits that this machine cannot enforce */
export function planLimits({ spec, root, life }: PlanRequest, { id }: PlannedIdentity, slots: SlotAllocator): PlannedLimits {
  const byDefault = canLimitByDefault();
  const resources = resourcesOf(spec, byDefault);
  const cgroup = cgroupName(id, root);
  return { cgroup, group: resources && planCgroup(resources, { name: cgroup, observe: life.detached === true && byDefault }, slots) };
}

/** The limit that podman has: no program needs more processes, and a fork bomb stops there. */
const PIDS_LIMIT = 2048;

/** Returns the limits of a container, or undefined for none. @param byDefault the default limit of processes applies: it costs nothing here */
export function resourcesOf({ resources }: Pick<RunSpec, 'resources'>, byDefault: boolean): Resources | undefined {
  const all: Resources = { ...(byDefault ? { pidsLimit: PIDS_LIMIT } : {}), ...resources };
  return Object.values(all).some((value) => value !== undefined) ? all : undefined;
}
