import type { OptionErrorCode } from '@lamella/syscall';

/** The codes of {@link CgroupError}, each with its meaning. The reference of errors is made from this table. */
export const CGROUP_ERROR_CODES = {
  LIMIT_INVALID: 'The value of a limit is invalid, or this machine does not have the limit.',
  CGROUP_MISSING: 'No cgroup filesystem is mounted.',
  CONTROLLER_MISSING: 'A limit needs a controller that is not available.',
  CGROUP_NOT_DELEGATED: 'An ordinary user cannot divide this cgroup; the hint tells how to get one.',
  CGROUP_FAILED: 'The kernel refused to make or join a cgroup; the message names the file.',
  CGROUP_BUSY: 'A cgroup still has processes, so it cannot be removed.',
  CGROUPS_PATH_INVALID: 'The cgroups path is not `SLICE:PREFIX:NAME`, which systemd needs.',
  LIMIT_FAILED: 'The kernel refused a limit; the message names the file.',
  FREEZER_MISSING: 'The container has no cgroup that can be frozen.',
  FREEZER_TIMEOUT: 'The processes were not paused within ten seconds.',
  SYSTEMD_MISSING: 'systemd cannot be asked for a cgroup, because busctl(1) is not installed.',
  SYSTEMD_FAILED: 'systemd refused to make or change a unit.',
} as const;

/** The code of a {@link CgroupError}. */
export type CgroupErrorCode = keyof typeof CGROUP_ERROR_CODES | OptionErrorCode;
