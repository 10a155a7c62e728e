/** Options of a lock (flock(2)). */
export interface LockOptions {
  /** Aborts the wait. A lock that is held already stays held. */
  readonly signal?: AbortSignal;
  /** Whether a missing file is created (mode 0600). Default true. Without it nothing is written. */
  readonly create?: boolean;
  /** Whether others may hold a shared lock at the same time. Default false. */
  readonly shared?: boolean;
}
