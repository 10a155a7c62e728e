export { type CgroupOptions, type CgroupPlan, canLimitByDefault, cgroupVersion, planCgroup, wasOomKilled } from './cgroup.js';
export { CgroupError } from './cgroup-error.js';
export { cgroupsOf, type OwnCgroups } from './cgroups-of.js';
export { type Frozen, freeze, freezersOf, isFrozen } from './freeze.js';
export type { Controller, Resources } from './resources.js';
