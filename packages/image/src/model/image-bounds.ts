const KIB = 1024;
const MIB = 1024 * KIB;

/** What is bounded of an image. */
export type ImageBound =
  | 'zstdWindow'
  | 'xzMemory'
  | 'extension'
  | 'extensions'
  | 'globalExtensions'
  | 'sparsePieces'
  | 'tail'
  | 'entries'
  | 'directories'
  | 'notes'
  | 'members'
  | 'memberNames'
  | 'layers'
  | 'indexes'
  | 'manifests';

/**
 * How much of an image or an archive is read and kept, beside the bounds of its files (`FILE_BOUNDS` of `@lamella/syscall`).
 * docs/internals/untrusted-files.md has the same table, and a test compares them. Bytes, unless the name is that of things to count.
 */
export const IMAGE_BOUNDS: Readonly<Record<ImageBound, number>> = {
  /** What a zstd frame may look back, which is kept in memory: the bound of the decoder that podman and containerd have. */
  zstdWindow: 512 * MIB,
  /** What xz may take for one archive. */
  xzMemory: 512 * MIB,
  /** An extended header or a long name of an archive. */
  extension: MIB,
  /** All of them that stand before one entry. */
  extensions: 4 * MIB,
  /** All that hold for a whole archive: each counts again for each entry. */
  globalExtensions: 64 * KIB,
  /** Number of the pieces of a sparse file. */
  sparsePieces: 1_000_000,
  /** What follows an archive's end marker: tar(1) fills up its last record. */
  tail: 64 * MIB,
  /** Number of the entries of a layer. */
  entries: 5_000_000,
  /** What is kept of a layer until its end: names and attributes of its directories. */
  directories: 256 * MIB,
  /** What is noted of a layer for good: names of whiteouts, of directories it does not list, of links to other layers. */
  notes: 64 * MIB,
  /** Number of the members of an archive of images. */
  members: 100_000,
  /** The names of those members. */
  memberNames: 16 * MIB,
  /** Number of the layers of an image: overlayfs joins 500 directories, and a container adds some. */
  layers: 480,
  /** Number of the indexes that lead to an image, each from another. */
  indexes: 4,
  /** Number of the documents of an index that are read because the index does not say what they are for. */
  manifests: 64,
};
