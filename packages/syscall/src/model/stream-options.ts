export interface StreamOptions {
  readonly signal?: AbortSignal | undefined;
  /** How many bytes are read at once. */
  readonly highWaterMark?: number;
  /** The part of the file to read, in bytes. Default: from the start to the size when it was opened. */
  readonly part?: { readonly offset: number; readonly size: number } | undefined;
}
