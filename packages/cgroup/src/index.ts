export { type CgroupPlan, canLimitByDefault, cgroupVersion, planCgroup, wasOomKilled } from './cgroup.js';
export { CgroupError } from './cgroup-error.js';
export type { CgroupOptions } from './cgroup-options.js';
export { type CgroupStats, cgroupStats, oomKills } from './cgroup-stats.js';
export { cgroupsOf, type ProcessCgroups } from './cgroups-of.js';
export {
  type CgroupPlace,
  type ContainerCgroup,
  frozenFile,
  isCgroupFrozen,
  joinCgroup,
  limitCgroup,
  limitDevicesV1,
  makeCgroup,
  placeCgroup,
  processesOf,
  removableDirectories,
  removeCgroup,
  setCgroupFrozen,
} from './container-cgroup.js';
export { type DeviceRule, deviceProgram, deviceWrites, limitDevices } from './device-program.js';
export { CGROUP_ERROR_CODES, type CgroupErrorCode } from './error-codes.js';
export { type FreezeTarget, freezerDirectories, isFrozen, setFrozen } from './freeze.js';
export { type Hierarchy, hierarchies } from './hierarchies.js';
export { type CgroupWrite, type LinuxResources, weightOfShares, writesV1, writesV2 } from './linux-resources.js';
export { RESOURCES } from './option-shapes.js';
export type { Controller, Resources } from './resources.js';
export {
  cgroupOfScope,
  type SystemdScope,
  scopeOf,
  startScope,
  stopScope,
  type UnitProperty,
  unitProperties,
  updateScope,
} from './systemd-scope.js';
