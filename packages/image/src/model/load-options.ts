import type { AddOptions } from './add-options.js';

/** Options of a load. */
export interface LoadOptions extends AddOptions {
  /** The name of the image, instead of the one in the archive. */
  readonly name?: string;
}
