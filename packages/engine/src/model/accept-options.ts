/** How a container is started again whose user has replaced what it was given. */
export interface AcceptOptions {
  /**
   * Absolute paths of sources of volumes, or devices: what is there now is what the container is given from now on. Anything that was
   * replaced, and is not named here, is refused with `VOLUME_MOVED`.
   */
  readonly acceptSources?: readonly string[];
}
