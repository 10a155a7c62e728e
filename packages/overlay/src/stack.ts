import type { ObjectIdentity } from '@lamella/syscall';

/** Mount options of overlayfs (Documentation/filesystems/overlayfs.rst). */
export interface OverlayOptions {
  /** Keep whiteout and opaque marks in `user.overlay.*`: needed in a user namespace, since 5.11. */
  readonly userxattr?: boolean;
  /** Whether hard links stay one file when they are copied up. */
  readonly index?: boolean;
  /** Whether only the metadata is copied up when only that changes. */
  readonly metacopy?: boolean;
  /** Whether directories can be renamed without a copy, and whether such renames are followed. */
  readonly redirect_dir?: 'on' | 'off' | 'follow' | 'nofollow';
  /** Whether inode numbers are composed so that they are unique and stay. */
  readonly xino?: 'on' | 'off' | 'auto';
  /** Skip syncs; such an upper may only be thrown away. */
  readonly volatile?: boolean;
}

/** The ids from `kept` on, on the disk, are shown as those from `shown` on, in the user namespace of the mounting process. */
export interface ShownIds {
  readonly shown: number;
  readonly kept: number;
  readonly count: number;
}

/** fuse-overlayfs(1). */
export interface FuseOverlay {
  /** Its absolute path. */
  readonly program: string;
  /**
   * The users that may use the mount: all users of its user namespace and no others; or only its user, also from outside (mount.fuse(8),
   * `allow_other`).
   */
  readonly allowOther: boolean;
  /** Whose files are whose, where owners are not shown as they are kept. What is in none of the ranges is nobody's. */
  readonly ids?: { readonly uids: readonly ShownIds[]; readonly gids: readonly ShownIds[] };
  /**
   * Whether the filesystem has access control lists. If true and it has none, the kernel refuses every access to a file of
   * another user. Default: it has.
   */
  readonly acl?: boolean;
  /** The kernel kills it with the process that started it. Otherwise it ends with the mount, which ends with its namespace. */
  readonly diesToo?: boolean;
}

/**
 * Which objects directories have to be, by their paths, which have no links in them. They are opened through no link and compared, and used by
 * their descriptors (see {@link openObject}): exchanging them meanwhile gains nothing.
 */
export type ExpectedDirectories = Readonly<Record<string, ObjectIdentity>>;

/** Layers, and where they are to be joined. Every path is absolute. */
export interface OverlayStack {
  /** Read-only layers, the topmost first; 1 to 500 of them. */
  readonly lowerdirs: readonly string[];
  /** The private writable layer; without one the mount is read-only. */
  readonly upperdir?: string;
  /** An empty directory on the same filesystem as `upperdir`. */
  readonly workdir?: string;
  /** The directory which becomes the merged view. */
  readonly merged: string;
  /** Of the lowers. */
  readonly expected?: ExpectedDirectories;
  readonly options?: OverlayOptions;
  /** mount(2) flags, e.g. `MS.NODEV`. */
  readonly flags?: number;
  /** What joins them in the kernel's place; see {@link fuseOverlayFor}. */
  readonly fuse?: FuseOverlay;
}

/** Overlayfs takes no more (OVL_MAX_STACK). */
export const MAX_LOWERDIRS = 500;
