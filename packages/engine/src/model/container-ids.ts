/** The ids of a container's own user namespace. */
export interface OwnIds {
  readonly uids: readonly IdMap[];
  readonly gids: readonly IdMap[];
  /** Whether its files are seen with them by mounts that map ids; else they have them on the disk. */
  readonly idmapped: boolean;
  /** Or fuse-overlayfs(1) shows them so. */
  readonly byFuse?: true;
}

/** Ids from `inside` on stand for those from `outside` on, in the user namespace of its monitor. */
export interface IdMap {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}
