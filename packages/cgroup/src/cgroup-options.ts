/** Options of `planCgroup`. */
export interface CgroupOptions {
  /** The name of the cgroup, without the prefix. It must be unique on the machine. */
  readonly name: string;
  /** Where cgroups are mounted. Default `/sys/fs/cgroup`. */
  readonly mount?: string;
  /** Whether to enable the controllers that count usage, with version 2. Default false. */
  readonly observe?: boolean;
}
