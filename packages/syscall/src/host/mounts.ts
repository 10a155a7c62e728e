import { readFileSync } from 'node:fs';
import { textOf } from '../text/byte-text.js';

/** A mount in the mount namespace of a process. */
export interface MountPoint {
  readonly id: number;
  /** The id of the parent mount. */
  readonly parent: number;
  /** The device of its filesystem, `MAJOR:MINOR`. */
  readonly device: string;
  /** The directory of its filesystem that is its root. `//deleted` follows a directory that was removed. */
  readonly root: string;
  /** Absolute path. */
  readonly point: string;
  /** The type of its filesystem, such as `ext4`. */
  readonly type: string;
  /** Options of the mount, and options of its filesystem. Paths in the latter may have more escapes. */
  readonly options: readonly string[];
  readonly superOptions: string;
  /** Whether it is shared or a slave: mounts that others make below it appear here too (mount_namespaces(7)). */
  readonly propagates: boolean;
}

/**
 * Returns the mounts of a process in the order in which they were made. Of several mounts at one place the last is visible.
 *
 * @param pid another process. Default: this one
 * @see proc_pid_mountinfo(5), whose octal escapes are decoded
 */
export function readMounts(pid: number | 'self' = 'self'): MountPoint[] {
  return textOf(readFileSync(`/proc/${pid}/mountinfo`))
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const fields = line.split(' ').map((field) => field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))));
      const dash = fields.indexOf('-', 6);
      const [id, parent, device = '', root = ''] = fields;
      return {
        id: Number(id),
        parent: Number(parent),
        device,
        root,
        point: fields[4] ?? '',
        type: fields[dash + 1] ?? '',
        options: fields[5]?.split(',') ?? [],
        superOptions: fields[dash + 3] ?? '',
        propagates: fields.slice(6, dash).some((each) => /^(?:shared|master):/.test(each)),
      };
    });
}
