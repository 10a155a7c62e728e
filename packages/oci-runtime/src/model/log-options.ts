export interface LogOptions {
  /** A file to append to. Default: stderr. */
  readonly file?: string | undefined;
  readonly format: 'text' | 'json';
  readonly debug: boolean;
}
