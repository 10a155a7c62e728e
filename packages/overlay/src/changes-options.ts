/** Options of {@link changesOf}. */
export interface ChangesOptions {
  /**
   * Also files that are what they were, but were given other names: with `links` as their only aspect. Default false: the names are changes by
   * themselves.
   */
  readonly otherNames?: boolean;
}
