/**
 * What is mounted inside the container, in order. `destination` is an absolute path inside the
 * root; links on the way to it are followed inside the root only, and what is missing is created.
 */
export type Mount =
  | { readonly type: 'proc' | 'sysfs' | 'mqueue'; readonly destination: string }
  /** A tmpfs with the standard device nodes and links (OCI runtime-spec, "Default Devices"). */
  | { readonly type: 'dev'; readonly destination: string }
  /** A private devpts; a terminal of the container is opened in it. */
  | { readonly type: 'devpts'; readonly destination: string }
  | TmpfsMount
  | BindMount;

export interface TmpfsMount {
  readonly type: 'tmpfs';
  readonly destination: string;
  /** Bytes, or with a suffix or `%` as tmpfs(5) has it. Default: half of the memory. */
  readonly size?: string;
  /** Permission bits of its root, octal text. Default `1777`. */
  readonly mode?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly nrInodes?: string;
  readonly readonly?: boolean;
  /** Default: neither executables, devices nor set-user-id files work there. */
  readonly exec?: boolean;
  readonly suid?: boolean;
  readonly dev?: boolean;
}

export interface BindMount {
  readonly type: 'bind';
  /** Absolute path on the host. Mounts below it come along. */
  readonly source: string;
  readonly destination: string;
  /** Whether the source is a directory: what is created at the destination when nothing is there. */
  readonly directory: boolean;
  readonly readonly?: boolean;
  /** Nothing happens when the source does not exist. */
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
