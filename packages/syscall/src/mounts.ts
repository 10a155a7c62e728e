import { readFileSync } from 'node:fs';

/** A mount that this process sees. */
export interface MountPoint {
  /** Absolute path. */
  readonly point: string;
  /** The filesystem's, such as `ext4`. */
  readonly type: string;
  /** Of the mount, then those of its filesystem; paths among the latter may have escapes of its own. */
  readonly options: readonly string[];
  readonly superOptions: string;
}

/**
 * The mounts of this process's namespace, in the order in which they were made: of several at one place the
 * last is seen. Source: proc_pid_mountinfo(5), whose octal escapes are undone.
 */
export function readMounts(): MountPoint[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const fields = line.split(' ').map((field) => field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))));
      const dash = fields.indexOf('-', 6);
      return { point: fields[4] ?? '', type: fields[dash + 1] ?? '', options: fields[5]?.split(',') ?? [], superOptions: fields[dash + 3] ?? '' };
    });
}
