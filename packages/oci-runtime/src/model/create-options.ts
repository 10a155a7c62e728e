import type { Console } from './console.js';
import type { Log } from './log.js';
import type { PreservedDescriptors } from './preserved-descriptors.js';

export interface CreateOptions {
  /** Absolute path of the directory with the state of all containers. */
  readonly root: string;
  readonly id: string;
  /** Absolute path of the bundle. */
  readonly bundle: string;
  /** Where the terminal of the process goes. Required if the process has one. */
  readonly console?: Console;
  /** File for the pid, written once the container is created. */
  readonly pidFile?: string | undefined;
  readonly preserved?: PreservedDescriptors;
  readonly noPivot?: boolean;
  readonly noNewKeyring?: boolean;
  /** Whether the monitor stays with the process until it ends. Default: false; then the process is reparented. */
  readonly stay?: boolean;
  /** Whether systemd makes the cgroup. Default: false. */
  readonly systemdCgroup?: boolean;
  readonly log: Log;
}
