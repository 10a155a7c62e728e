import type { OciConfig, OciProcess } from '../config/schema.js';
import type { Console } from './console.js';
import type { Log } from './log.js';
import type { PreservedDescriptors } from './preserved-descriptors.js';

export interface ExecOptions {
  readonly root: string;
  readonly id: string;
  /** Returns the process to run, from the configuration of the container. */
  readonly processOf: (config: OciConfig) => OciProcess;
  readonly console: Console;
  readonly pidFile?: string | undefined;
  readonly preserved: PreservedDescriptors;
  readonly ignorePaused: boolean;
  /** Cgroups below the container's: a path; with version 1 also `controllers:path`. */
  readonly cgroups: readonly string[];
  readonly detach: boolean;
  readonly log: Log;
}
