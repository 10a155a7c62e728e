import type { Platform } from './platform.js';

/** How far the unpacking of one layer is. */
export interface LayerProgress {
  /** The path of the archive while that is all that is known of it. */
  readonly diffID: string;
  readonly state: 'unpacking' | 'done' | 'present';
  /** Bytes of the blob, so far and in all; the latter when the source knows. */
  readonly bytes: number;
  readonly total: number | undefined;
}

/** Options of everything that adds an image to a store. */
export interface AddOptions {
  /** Of an index; this machine's by default. An image of another platform is taken, with a warning. */
  readonly platform?: Platform;
  /** Aborts; nothing is added then. */
  readonly signal?: AbortSignal;
  /** Receives how far each layer is. */
  readonly onProgress?: (progress: LayerProgress) => void;
  /** Take layers that are there for what they were; else what was touched since is compared with its blob, and made anew. Default false. */
  readonly trusted?: boolean;
}
