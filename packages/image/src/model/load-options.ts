import type { AddOptions } from './add-options.js';

export interface LoadOptions extends AddOptions {
  /** The name of the image, instead of the one in the archive. */
  readonly name?: string;
}
