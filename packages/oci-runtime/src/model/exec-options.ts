import type { OciConfig, OciProcess } from '../config/schema.js';
import type { Console } from './console.js';
import type { Log } from './log.js';
import type { PreservedDescriptors } from './preserved-descriptors.js';

export interface ExecOptions {
  readonly root: string;
  readonly id: string;
  /** From the process that config.json has to the one that is to run. */
  readonly processOf: (config: OciConfig) => OciProcess;
  readonly console: Console;
  readonly pidFile?: string | undefined;
  readonly preserved: PreservedDescriptors;
  readonly ignorePaused: boolean;
  /** Cgroups below the container's: a path, or with version 1 `controllers:path`. */
  readonly cgroups: readonly string[];
  readonly detach: boolean;
  readonly log: Log;
}
