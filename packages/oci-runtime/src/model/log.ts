/** The log of a command. */
export interface Log {
  readonly error: (message: string) => void;
  readonly warn: (message: string) => void;
  readonly debug: (message: string) => void;
}
