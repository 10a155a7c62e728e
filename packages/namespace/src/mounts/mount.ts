import type { ObjectIdentity, Program } from '@lamella/syscall';

/**
 * What is mounted inside the container, in order. `destination` is an absolute path inside the
 * root; links on the way to it are followed inside the root only, and what is missing is created.
 */
export type Mount =
  | { readonly type: 'mqueue'; readonly destination: string }
  /** `hidepid` as proc(5) has it: 2 shows a process only to its owner. */
  | { readonly type: 'proc'; readonly destination: string; readonly hidepid?: 0 | 1 | 2 }
  | { readonly type: 'sysfs'; readonly destination: string; readonly writable?: boolean }
  /** A tmpfs with the standard device nodes and links (OCI runtime-spec, "Default Devices"), and others. */
  | { readonly type: 'dev'; readonly destination: string; readonly devices?: readonly DeviceNode[] }
  /** The cgroup that the process is in, read-only (version 2). `/sys` comes before it in the list. */
  | { readonly type: 'cgroup2'; readonly destination: string }
  /** A directory of the root itself, which stays writable when the root becomes read-only. */
  | { readonly type: 'own'; readonly destination: string }
  /** A private devpts; a terminal of the container is opened in it. */
  | { readonly type: 'devpts'; readonly destination: string }
  /** One that `program` makes, detached; its descriptor is in the slot `mount` then. */
  | { readonly type: 'made'; readonly destination: string; readonly program: Program; readonly mount: number; readonly optional?: boolean }
  | TmpfsMount
  | BindMount
  | FileMount;

/** A device of the host's. */
export interface DeviceNode {
  /** Absolute path on the host; in a user namespace it is bound, because mknod(2) is not permitted there. */
  readonly source: string;
  /** Path below /dev, without it: `snd/timer`. */
  readonly name: string;
  readonly type: 'character' | 'block';
  readonly major: number;
  readonly minor: number;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Which object the source has to be, where it is bound. */
  readonly expected?: ObjectIdentity;
}

/** A filesystem in memory (tmpfs(5)). */
export interface TmpfsMount {
  /** Tells mounts apart. */
  readonly type: 'tmpfs';
  /** Absolute path inside; made when missing. */
  readonly destination: string;
  /** Bytes, or with a suffix or `%` as tmpfs(5) has it. Default: half of the memory. */
  readonly size?: string;
  /** Permission bits of its root, octal text. Default `1777`. */
  readonly mode?: string;
  /** The owner of its root. Default: root. */
  readonly uid?: number;
  /** The group of its root. Default: root's. */
  readonly gid?: number;
  /** How many inodes it may have, as tmpfs(5) has it. Default: half of the pages of memory. */
  readonly nrInodes?: string;
  /** Whether it is read-only. Default false. */
  readonly readonly?: boolean;
  /** Default: neither executables, devices nor set-user-id files work there. */
  readonly exec?: boolean;
  /** Whether set-user-id files work there. Default false. */
  readonly suid?: boolean;
  /** Whether devices can be opened there. Default false. */
  readonly dev?: boolean;
}

/** A file or directory of the host that is shown inside. */
export interface BindMount {
  /** Tells mounts apart. */
  readonly type: 'bind';
  /** Absolute path on the host. */
  readonly source: string;
  /** Absolute path inside; made when missing. */
  readonly destination: string;
  /** Whether the source is a directory: what is created at the destination when nothing is there. */
  readonly directory: boolean;
  /** Whether it is read-only. Default false. */
  readonly readonly?: boolean;
  /** Devices can be opened there. Default: they cannot. */
  readonly dev?: boolean;
  /** Whether mounts below the source come along. Default true. */
  readonly recursive?: boolean;
  /** `slave`: what is mounted below the source later appears inside, too. The source has to be on a shared or slave mount. Default: nothing does. */
  readonly propagation?: 'slave';
  /** Slot of a user namespace whose ids it is seen with (mount_setattr(2), MOUNT_ATTR_IDMAP). */
  readonly idmap?: number;
  /** Nothing happens where the source or the destination is not there (any more), or cannot be reached. Neither is made then. */
  readonly optional?: boolean;
  /** Which object the source has to be: it is opened through no link, compared, and shown by its descriptor. */
  readonly expected?: ObjectIdentity;
}

/** A file of the container's own, in memory. A `dev` comes before it in the list: it lives there, without a name. */
export interface FileMount {
  /** Tells mounts apart. */
  readonly type: 'file';
  /** Absolute path inside; made when missing. */
  readonly destination: string;
  /** The content of the file. */
  readonly content: string | Uint8Array;
  /** Nothing happens where no file is, and none can be made. */
  readonly optional?: boolean;
}

/** What every container gets (OCI runtime-spec, "Default Filesystems"). */
export const DEFAULT_MOUNTS: readonly Mount[] = [
  { type: 'proc', destination: '/proc' },
  { type: 'sysfs', destination: '/sys' },
  { type: 'dev', destination: '/dev' },
  { type: 'devpts', destination: '/dev/pts' },
  { type: 'mqueue', destination: '/dev/mqueue' },
  { type: 'tmpfs', destination: '/dev/shm', size: '65536k' },
];
