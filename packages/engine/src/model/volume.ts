/** A directory or file of the host inside the container. */
export interface Volume {
  /** Absolute path on the host; it must exist. The container gets what is there when it is made, and nothing else later (`VOLUME_MOVED`). */
  readonly source: string;
  /** Absolute path inside; made when missing. */
  readonly destination: string;
  /** Whether the container can only read it. Default false. */
  readonly readonly?: boolean;
  /** What is written there stays in the container, for review: the source, a directory, does not change. */
  readonly overlay?: boolean;
  /** In a separate user namespace: what belongs to the host's root there belongs to the container's, and the other way round. */
  readonly idmap?: boolean;
  /** `slave`: what the host mounts below the source later appears inside, too. As root; the source has to be on a shared or slave mount. */
  readonly propagation?: 'slave';
  /** Whether mounts below the source are shown, too. Default true. */
  readonly recursive?: boolean;
}
