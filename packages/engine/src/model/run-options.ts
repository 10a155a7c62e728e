import type { LayerProgress } from '@lamella/image';
import type { ProcessOptions } from '@lamella/namespace';
import type { UnpackOptions } from './unpack-options.js';

export interface RunOptions extends ProcessOptions {
  /** Receives the progress of unpacking a workspace's image. */
  readonly onProgress?: UnpackOptions['onProgress'];
  /** Told, before it starts, what a view of the host does not show as it is, or may not: a sentence each. */
  readonly onNote?: (sentence: string, certain: boolean) => void;
  /** Receives the progress of each layer of an image that is fetched. */
  readonly onPull?: (progress: LayerProgress) => void;
}
