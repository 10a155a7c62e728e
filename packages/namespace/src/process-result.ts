/** How a process ended, in the words of execa's result. */
export interface ProcessResult {
  /** The command and its arguments, as one line for people. */
  readonly command: string;
  /** Its status; undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  /** The signal that ended it: `SIGKILL`, … */
  readonly signal: NodeJS.Signals | undefined;
  /** What it wrote, its last newline stripped; undefined when that went elsewhere. */
  readonly stdout: string | Uint8Array | undefined;
  readonly stderr: string | Uint8Array | undefined;
  /** Milliseconds from the start of the program to the end of the release. */
  readonly durationMs: number;
  /** Anything but exit status 0. */
  readonly failed: boolean;
  readonly timedOut: boolean;
  readonly isMaxBuffer: boolean;
  /** What could not be released; `sweep` tries again. */
  readonly releaseFailures: readonly Error[];
}
