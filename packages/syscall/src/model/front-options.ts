/** Options of a process that a program replaces with execve(2). */
export interface FrontOptions {
  /** The title of the process in ps(1). */
  readonly title: string;
  /** Whether the program reads this process's stdin. Otherwise its stdin is empty. stdout and stderr are this process's. */
  readonly stdin: boolean;
  /** A script for Node and its first argument, which are executed to explain a failure. See {@link readFrontReport}. */
  readonly explainer: readonly [script: string, word: string];
  /** What the script needs beside the program. */
  readonly context: string;
  /** The text that is written to stderr when the user detaches; with `detached`, to stdout when the command has begun. */
  readonly left?: string;
  /** Whether the front ends when the command has begun. Then the program has no stdin, stdout and stderr. Default: false. */
  readonly detached?: boolean;
  /** Called right before execve(2) replaces this process. */
  readonly onLast?: () => void;
}
