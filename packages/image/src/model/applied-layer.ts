import type { Compression } from './compression-name.js';
import type { LayerMarks } from './layer-marks.js';

/** What was unpacked. */
export interface AppliedLayer {
  /**
   * The archive as an image can hold it: as it was given, or without its compression when that is
   * none of the image specification's (xz).
   */
  readonly blob: LayerBlob;
  /** `sha256:…` of the archive without its compression. */
  readonly diffID: string;
  readonly uncompressedSize: number;
  readonly entries: number;
  /** Directories which the layer needs and does not list. */
  readonly implied: readonly string[];
  /** Directories that hide what the layers below have in them. */
  readonly opaque: readonly string[];
  /** Those of them that replace what is below, metadata and all. */
  readonly replaced: readonly string[];
  /** Directories with whiteouts in them. */
  readonly whiteoutDirectories: readonly string[];
  /** How it hides what is below. */
  readonly marks: LayerMarks;
  /** Hard links that were not made: their targets are in the layers below, if anywhere. */
  readonly lowerLinks: readonly LowerLink[];
  /** What could not be kept. */
  readonly warnings: readonly string[];
}

/** The bytes of a layer, as a content store keeps them. */
export interface LayerBlob {
  /** `sha256:…` */
  readonly digest: string;
  /** Length in bytes. */
  readonly size: number;
  readonly compression: Exclude<Compression, 'xz'>;
}

/** A hard link whose target the layer does not hold. */
export interface LowerLink {
  readonly path: string;
  readonly target: string;
}
