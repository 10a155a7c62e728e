import { readFileSync } from 'node:fs';
import { textOf } from '../text/byte-text.js';

/** A mount that a process sees. */
export interface MountPoint {
  readonly id: number;
  /** The one that it is mounted in. */
  readonly parent: number;
  /** Of its filesystem, `MAJOR:MINOR`. */
  readonly device: string;
  /** What of its filesystem it shows; `//deleted` stands at the end of what has no name any more. */
  readonly root: string;
  /** Absolute path. */
  readonly point: string;
  /** The filesystem's, such as `ext4`. */
  readonly type: string;
  /** Of the mount, then those of its filesystem; paths among the latter may have escapes of its own. */
  readonly options: readonly string[];
  readonly superOptions: string;
  /** It is shared, or a slave: what others mount below appears here, too (mount_namespaces(7)). */
  readonly propagates: boolean;
}

/**
 * The mounts of a process's namespace, as it sees them, in the order in which they were made: of several at one place the
 * last is seen. Source: proc_pid_mountinfo(5), whose octal escapes are undone.
 *
 * @param pid of another process than this one
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
