import type { ArchitectureName } from './architecture.js';

/** The properties of the container and the machine that rules depend on. */
export interface CompileOptions {
  /** The capabilities of its bounding set, as `CHOWN` or `CAP_CHOWN`. Default: none. */
  readonly capabilities?: readonly string[];
  /** The kernel release, as `uname -r` prints it. If it is missing, rules for all kernels apply. */
  readonly kernel?: string;
  /** Default: the architecture of this machine. */
  readonly architecture?: ArchitectureName;
  /**
   * Whether calls newer than every call of the profile fail with ENOSYS instead of the default action. Programs fall
   * back to older calls after ENOSYS, but may end after a denial. Default false.
   */
  readonly newerAreAbsent?: boolean;
  /** Whether the rules also apply to 32-bit programs, if the profile names their architecture. Otherwise the filter kills them. Default false. */
  readonly compat?: boolean;
}
