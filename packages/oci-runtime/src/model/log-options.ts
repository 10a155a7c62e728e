export interface LogOptions {
  /** A file to append to; stderr when there is none. */
  readonly file?: string | undefined;
  readonly format: 'text' | 'json';
  readonly debug: boolean;
}
