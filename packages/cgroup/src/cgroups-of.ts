import path from 'node:path';
import { cgroupVersion, PREFIX } from './cgroup.js';
import { readKernelFile } from './read-kernel-file.js';

/** The cgroups of Lamella that contain a process, as absolute directories. */
export interface ProcessCgroups {
  readonly version: 1 | 2;
  /** With version 2 there is at most one. */
  readonly directories: readonly string[];
}

/**
 * Returns the cgroups of Lamella that contain a process.
 *
 * @param pid the process id on the host
 * @param mount where cgroups are mounted
 * @see proc(5), /proc/pid/cgroup
 */
export function cgroupsOf(pid: number, mount: string = '/sys/fs/cgroup'): ProcessCgroups {
  const version = cgroupVersion(mount) ?? 2;
  const directories = readKernelFile(`/proc/${pid}/cgroup`)
    .split('\n')
    .flatMap((line) => {
      const [hierarchy, controllers = '', ...rest] = line.split(':');
      const group = rest.join(':');
      if (!path.basename(group).startsWith(PREFIX)) return [];
      if (version === 2) return hierarchy === '0' ? [path.join(mount, group)] : [];
      return controllers ? [path.join(mount, controllers.replace(/^name=/, ''), group)] : [];
    });
  return { version, directories };
}
