import type { Console } from './console.js';
import type { Log } from './log.js';
import type { PreservedDescriptors } from './preserved-descriptors.js';

/** Options of {@link create}. */
export interface CreateOptions {
  /** Absolute path of the directory with the state of all containers. */
  readonly root: string;
  /** The id of the container, unique below `root`. */
  readonly id: string;
  /** Absolute path of the bundle. */
  readonly bundle: string;
  /** Where the terminal of the process goes. Required if the process has one. */
  readonly console?: Console;
  /** File for the pid, written once the container is created. */
  readonly pidFile?: string | undefined;
  /** File descriptors that the process inherits. Default: none but 0 to 2. */
  readonly preserved?: PreservedDescriptors;
  /** Whether the root is moved to `/` instead of pivot_root(2), which a ramfs does not allow. Default false. */
  readonly noPivot?: boolean;
  /** Whether the process keeps the caller's session keyring (keyrings(7)). Default false. */
  readonly noNewKeyring?: boolean;
  /** Whether the monitor stays with the process until it ends. Default: false; then the process is reparented. */
  readonly stay?: boolean;
  /** Whether systemd makes the cgroup. Default: false. */
  readonly systemdCgroup?: boolean;
  /** Receives warnings and debug messages. */
  readonly log: Log;
}
