export interface LockOptions {
  /** Ends the waiting; a lock that is held stays so. */
  readonly signal?: AbortSignal;
  /** Make the file (mode 0600) when it is missing. Default true; without it nothing is written. */
  readonly create?: boolean;
  /** Let others hold it at the same time, who also want it shared. Default false. */
  readonly shared?: boolean;
}
