import type { RunSpec } from './run-spec.js';

export interface SweepOptions {
  /** Also containers that were kept ({@link RunSpec.keep}), with what they wrote. Default false. */
  readonly kept?: boolean;
}
