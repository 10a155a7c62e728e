import type { OciConfig, OciProcess } from '../config/schema.js';
import type { Console } from './console.js';
import type { Log } from './log.js';
import type { PreservedDescriptors } from './preserved-descriptors.js';

/** Options of {@link execInContainer}. */
export interface ExecOptions {
  /** Absolute path of the directory with the state of all containers. */
  readonly root: string;
  /** The id of the container. */
  readonly id: string;
  /** Returns the process to run, from the configuration of the container. */
  readonly processOf: (config: OciConfig) => OciProcess;
  /** Where the terminal of the process goes. */
  readonly console: Console;
  /** File for the pid, written once the process is started. */
  readonly pidFile?: string | undefined;
  /** File descriptors that the process inherits. */
  readonly preserved: PreservedDescriptors;
  /** Whether to start the process in a paused container. It begins when the container is resumed. */
  readonly ignorePaused: boolean;
  /** Cgroups below the container's: a path; with version 1 also `controllers:path`. */
  readonly cgroups: readonly string[];
  /** Whether to return as soon as the process is started. */
  readonly detach: boolean;
  /** Receives warnings and debug messages. */
  readonly log: Log;
}
