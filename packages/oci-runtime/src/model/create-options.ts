import type { Console } from './console.js';
import type { Log } from './log.js';
import type { PreservedDescriptors } from './preserved-descriptors.js';

export interface CreateOptions {
  /** Where all state is, absolute. */
  readonly root: string;
  readonly id: string;
  /** Absolute path of the bundle. */
  readonly bundle: string;
  /** Where the terminal goes, if the process has one. */
  readonly console?: Console;
  /** Its pid is written there, when it is known to work. */
  readonly pidFile?: string | undefined;
  readonly preserved?: PreservedDescriptors;
  readonly noPivot?: boolean;
  readonly noNewKeyring?: boolean;
  /** Whether the monitor stays with the process until its end. Else it belongs to whoever adopts it. */
  readonly stay?: boolean;
  /** Let systemd make its cgroup. */
  readonly systemdCgroup?: boolean;
  readonly log: Log;
}
