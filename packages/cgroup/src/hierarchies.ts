import { readFileSync } from 'node:fs';
import path from 'node:path';
import { readMounts } from '@lamella/syscall';
import { cgroupVersion } from './cgroup.js';

/** A mounted hierarchy of cgroups. */
export interface Hierarchy {
  readonly version: 1 | 2;
  /** Absolute path of its mount. */
  readonly mount: string;
  /** Version 1: its mount options, such as `cpu` and `cpuacct`, or `name=systemd`. */
  readonly controllers: readonly string[];
  /** The cgroup of this process in it, such as `/user.slice`. */
  readonly own: string;
}

/** Mount options of version 1 that do not name a controller. */
const NO_CONTROLLER = /^(?:rw|ro|xattr|noprefix|clone_children|cpuset_v2_mode|favordynmods|seclabel|release_agent=.*)$/;

/**
 * Returns the hierarchies below `mount`: the one of version 2, or those of version 1. If version 2 is mounted beside
 * version 1, its entry has no controllers. The list is empty if no cgroups are mounted.
 *
 * @see cgroups(7)
 */
export function hierarchies(mount: string = '/sys/fs/cgroup'): Hierarchy[] {
  const version = cgroupVersion(mount);
  if (version === undefined) return [];
  const lines = readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
    .filter((match) => match !== null);
  const ownOf = (controller: string): string => lines.find(([, names = '']) => names.split(',').includes(controller))?.[2] ?? '/';
  if (version === 2) return [{ version: 2, mount, controllers: [], own: ownOf('') }];
  const found = new Map<string, Hierarchy>();
  for (const { point, type, superOptions } of readMounts()) {
    if ((type !== 'cgroup' && type !== 'cgroup2') || path.dirname(point) !== mount) continue;
    const controllers = type === 'cgroup2' ? [] : superOptions.split(',').filter((option) => !NO_CONTROLLER.test(option));
    found.set(point, { version: 1, mount: point, controllers, own: ownOf(controllers[0] ?? '') });
  }
  return [...found.values()];
}
