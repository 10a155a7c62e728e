export interface FrontOptions {
  /** What `ps` shows. */
  readonly title: string;
  /** The program reads this process's stdin; else it has an empty one. Its stdout and stderr are this process's. */
  readonly stdin: boolean;
  /** A script for Node, and its first argument: executed when something failed, to say what. See {@link readFrontReport}. */
  readonly explainer: readonly [script: string, word: string];
  /** What it needs for that, beside the program. */
  readonly context: string;
  /** Said on stderr when the user leaves a terminal with the keys for that. */
  readonly left?: string;
  /** Called right before this process is no longer there. */
  readonly onLast?: () => void;
}
