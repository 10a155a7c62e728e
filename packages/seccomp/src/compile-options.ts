import type { ArchitectureName } from './architecture.js';

/** What the container is like, for rules that depend on it. */
export interface CompileOptions {
  /** Its bounding set, as `CHOWN` or `CAP_CHOWN`. */
  readonly capabilities?: readonly string[];
  /** As `uname -r` gives it. Rules for newer kernels count when it is missing. */
  readonly kernel?: string;
  /** Default: this machine's. */
  readonly architecture?: ArchitectureName;
  /**
   * Whether calls that are younger than all that the profile names do not exist (ENOSYS), instead of being denied: then
   * programs do without them, where a denial would end them.
   */
  readonly newerAreAbsent?: boolean;
  /** Whether 32-bit programs live by the rules, too, where the profile names their architecture. Else they are killed. */
  readonly compat?: boolean;
}
