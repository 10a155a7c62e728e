import type { ImageConfig } from '@lamella/image';

/** The layers a container stands on. */
export interface Lowers {
  /** Absolute paths of trees, the topmost first. */
  readonly trees: readonly string[];
  /** Files to hold a shared lock on meanwhile. */
  readonly locks: readonly string[];
  readonly config: ImageConfig;
  /** Digests of the layers, the topmost first; they stay as long as the container does. */
  readonly diffIDs: readonly string[];
  /** Digest of the image; nothing in a workspace. */
  readonly digest?: string | undefined;
}
