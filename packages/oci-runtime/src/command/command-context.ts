import type { Log } from '../model/log.js';

/** What the commands share. */
export interface CommandContext {
  /** Absolute. */
  readonly root: string;
  readonly log: Log;
  readonly systemdCgroup: boolean;
  readonly version: string;
}
