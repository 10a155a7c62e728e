export interface CgroupOptions {
  /** Unique on the machine; the directory's name. */
  readonly name: string;
  /** Where cgroups are mounted. Default `/sys/fs/cgroup`. */
  readonly mount?: string;
  /** Have what is used up counted, too, where version 2 has the controllers for that. */
  readonly observe?: boolean;
}
