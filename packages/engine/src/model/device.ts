/** A device of the host inside the container. */
export interface Device {
  /** Absolute path on the host, of a device or of a directory of them. */
  readonly source: string;
  /** Absolute path inside, below /dev. Default: the same. */
  readonly destination?: string;
}
