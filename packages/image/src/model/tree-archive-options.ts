/** Options of packing a tree. */
export interface TreeArchiveOptions {
  /**
   * The tree is an overlay's upper, and the archive a layer of an image: what hides something becomes a
   * `.wh.` file (OCI image-spec, "Whiteouts"), and the top itself is left out.
   */
  readonly layer?: { readonly marks: 'trusted' | 'user' | 'files' };
  /** Seconds since 1970: the time of everything in it. */
  readonly mtime?: number | undefined;
  /** The tree comes from `walk_seen`: sizes of files need not be true. A file that becomes shorter while it is read is an error. */
  readonly seen?: boolean;
  /** Makes the error of a program that failed. @param name bytes of the last path below the top, as latin1 */
  readonly explain?: (error: unknown, name: string) => Error;
}
