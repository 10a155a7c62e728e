export interface StreamOptions {
  readonly signal?: AbortSignal | undefined;
  /** How many bytes are read at once. */
  readonly highWaterMark?: number;
  /** A part of the file, in bytes. Default: all that it has when it is opened. */
  readonly part?: { readonly offset: number; readonly size: number } | undefined;
}
