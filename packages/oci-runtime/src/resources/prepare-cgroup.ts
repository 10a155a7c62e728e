import path from 'node:path';
import {
  type ContainerCgroup,
  type DeviceRule,
  isCgroupFrozen,
  joinCgroup,
  limitCgroup,
  makeCgroup,
  processesOf,
  type SystemdScope,
  startScope,
  type UnitProperty,
  unitProperties,
} from '@lamella/cgroup';
import { run, slotAllocator } from '@lamella/syscall';
import type { OciLinux } from '../config/schema.js';
import { OciError } from '../errors/oci-error.js';
import { isInitialRoot } from '../host/initial-root.js';
import type { Log } from '../model/log.js';
import type { CgroupView } from '../mounts/cgroup-mount.js';
import { restrictDevices } from './device-rules.js';

/**
 * Creates the cgroup of a container and sets its limits, before a process is in it. Ordinary users without a delegated cgroup get none,
 * unless the configuration has limits.
 *
 * @returns whether there is a cgroup
 * @throws OciError `CGROUP_FROZEN`; CgroupError
 */
export function prepareCgroup(cgroup: ContainerCgroup, { resources }: OciLinux, log: Log): boolean {
  const { devices: _, ...limits } = resources ?? {};
  const others = processesOf(cgroup).length;
  if (others) log.warn(`container's cgroup is not empty: ${others} process(es) found`);
  if (isCgroupFrozen(cgroup))
    throw new OciError({
      code: 'CGROUP_FROZEN',
      message: "container's cgroup unexpectedly frozen",
      hint: 'Thaw the cgroup, or set another linux.cgroupsPath.',
    });
  try {
    makeCgroup(cgroup);
  } catch (error) {
    const hasLimits = Object.values(limits).some((each) => each !== undefined && Object.keys(each as object).length > 0);
    if (isInitialRoot() || hasLimits) throw error;
    return false;
  }
  limitCgroup(cgroup, limits);
  return cgroup.length > 0;
}

export interface ScopedProcess {
  readonly pid: number;
  /** The id of its container. */
  readonly id: string;
  readonly cgroup: ContainerCgroup;
  readonly resources: OciLinux['resources'];
  readonly rules: readonly DeviceRule[];
  readonly properties: readonly UnitProperty[];
}

/** Has systemd create a scope around a process, then sets the limits. The process waits meanwhile. */
export async function joinScope(scope: SystemdScope, { pid, id, cgroup, resources, rules, properties }: ScopedProcess): Promise<void> {
  const { devices: _, ...limits } = resources ?? {};
  await startScope(scope, pid, `lamella-oci container ${id}`, [...unitProperties(limits), ...properties]);
  // With cgroups of version 1 systemd creates the scope in one hierarchy only.
  if (cgroup[0]?.version === 1) {
    makeCgroup(cgroup);
    joinCgroup(cgroup, pid);
  }
  limitCgroup(cgroup, limits);
  await run(restrictDevices(cgroup, rules, slotAllocator()));
}

/**
 * Returns the cgroup hierarchies that a container sees. Without its own cgroup it sees the cgroup of this command.
 *
 * @param made whether it has its own cgroup
 * @param namespace whether it has a cgroup namespace
 */
export function cgroupView(cgroup: ContainerCgroup, made: boolean, namespace: boolean): CgroupView {
  return {
    namespace,
    hierarchies: cgroup.map(({ version, mount, controllers, own, directory }) => ({
      name: version === 2 ? '' : path.basename(mount),
      controllers: controllers.length ? controllers.join(',') : undefined,
      directory: made ? directory : path.join(mount, own),
    })),
  };
}
