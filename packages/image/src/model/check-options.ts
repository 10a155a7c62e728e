/** How thorough a check of a store is, and what it repairs. */
export interface CheckOptions {
  /** Mend what can be mended. No image, and nothing that a container wrote, is removed. Default false. */
  readonly repair?: boolean;
  /** Compare only what was touched since it was put there, as sizes, kinds and times tell. Default false. */
  readonly quick?: boolean;
  /** Also repair, and take away the names of images that stay damaged, unless a container is made of them. Default false. */
  readonly force?: boolean;
}
