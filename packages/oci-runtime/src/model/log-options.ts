/** Where messages go, and how they look. */
export interface LogOptions {
  /** A file to append to. Default: stderr. */
  readonly file?: string | undefined;
  /** Text, or one JSON object in each line. */
  readonly format: 'text' | 'json';
  /** Whether debug messages are written. */
  readonly debug: boolean;
}
