/** Options of a commit. */
export interface CommitOptions {
  /** Aborts; no image is made then. */
  readonly signal?: AbortSignal;
  /** What the image's history says. */
  readonly message?: string;
  /** The author in the image's config. Default: none. */
  readonly author?: string;
  /** Changes of the config as Docker's: `CMD ["sh"]`, `ENV A=b`, `USER 1000`, … */
  readonly changes?: readonly string[];
  /** Seconds since 1970, of everything that is made: the same changes make the same digest. Default: `SOURCE_DATE_EPOCH`, else now. */
  readonly timestamp?: number | undefined;
  /** What the new layers are the work of, for the image's history. */
  readonly createdBy?: string;
}
