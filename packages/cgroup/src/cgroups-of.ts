import path from 'node:path';
import { cgroupVersion, PREFIX } from './cgroup.js';
import { readKernelFile } from './read-kernel-file.js';

/** The cgroups that were made for a container, as absolute directories. */
export interface OwnCgroups {
  readonly version: 1 | 2;
  /** With version 2 one at the most. */
  readonly directories: readonly string[];
}

/**
 * The cgroups of ours that a process is in (proc(5), /proc/pid/cgroup).
 *
 * @param pid the host's
 */
export function cgroupsOf(pid: number, mount: string = '/sys/fs/cgroup'): OwnCgroups {
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
