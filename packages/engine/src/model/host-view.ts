import type { Source } from './source.js';

/**
 * The host's own filesystem as a container's: what it has of real filesystems is seen through overlays, the rest
 * as it is, read-only. All paths are absolute.
 */
export interface HostView {
  /**
   * Of an ordinary user: what the root is made of, for in a user namespace no directory with other mounts
   * below it can be the lower of an overlay. Nothing for root, whose `/` is one itself. It is not kept, and made anew for
   * each start; what is kept of it is an empty list.
   */
  readonly scaffold?: readonly ScaffoldEntry[];
  /** Directories with an overlay each; `/` of root is not among them. Their order is that of their uppers. */
  readonly overlays: readonly HostOverlay[];
  /** What is shown as it is. Not kept. */
  readonly binds: readonly HostPath[];
  /** What is not shown at all: an empty directory or file is there instead. */
  readonly hidden: readonly HostPath[];
  /** Sentences about what is not as on the host, for the user. Not kept. */
  readonly notes?: readonly string[];
  /** A sentence about what may not be as on the host. Not kept. */
  readonly doubt?: string;
}

export interface HostPath {
  readonly path: string;
  readonly directory: boolean;
}

/** A directory of the host that has an upper. */
export interface HostOverlay {
  readonly path: string;
  /** Something was mounted there when it got its upper. */
  readonly mount?: true;
  /** There are other mounts below it: what it shows is put together in the scaffold. */
  readonly assembled?: true;
  /** It is not there any more, or is something else: what was changed in it is kept, and not shown. */
  readonly gone?: true;
  /** Of one that is gone, or has just come back: what was there. */
  readonly was?: Source;
}

/** A name in the scaffold, parents first. `copy` is everything that is like the host's: of a directory without what is in it. */
export type ScaffoldEntry = { readonly path: string } & (
  | { readonly type: 'directory' }
  | { readonly type: 'file' }
  | { readonly type: 'copy'; readonly directory: boolean }
  | { readonly type: 'node'; readonly mode: number }
  | { readonly type: 'symlink'; readonly target: string }
);
