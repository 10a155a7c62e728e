import type { Op } from '../ops/op.js';
import type { SyscallError } from '../ops/syscall-error.js';

/** What a program returned. */
export interface RunResult {
  /** How the cloned process ended; undefined when the program cloned none. */
  readonly exited?: { readonly status: number; readonly signal: number };
  /** The values of ops with `reply`, by index. */
  readonly values: ReadonlyMap<number, number>;
  /** Failures that ops ignored. */
  readonly ignored: readonly { readonly op: Op; readonly index: number; readonly code: string }[];
  /** Failures of the exit program. */
  readonly releaseFailures: readonly SyscallError[];
}
