import type { Reference } from './reference.js';

/** An image that was added to a store. */
export interface AddedImage {
  readonly references: readonly Reference[];
  /** Digest of the manifest. */
  readonly digest: string;
  readonly layers: number;
  /** How many of them had to be unpacked. */
  readonly unpacked: number;
  readonly warnings: readonly string[];
}
