import type { Readable } from 'node:stream';
import type { Reference } from '../model/reference.js';

/** A layer that is somewhere, to be fetched. */
export interface SourceLayer {
  /** Digest of its uncompressed archive: the image's config promises it. */
  readonly diffID: string;
  /** What its blob must be, if the source contains it. */
  readonly expected?: { readonly digest: string; readonly size: number } | undefined;
  open(signal?: AbortSignal): Promise<Readable>;
}

/** An image that is somewhere, to be brought into a store. */
export interface SourceImage {
  /** The names it has there. */
  readonly names: readonly Reference[];
  /** The config's bytes, which its digest was made of. */
  readonly config: Buffer;
  /** The manifest's bytes, to be kept as they are; made anew for sources that have none. */
  readonly manifest?: { readonly content: Buffer; readonly mediaType: string } | undefined;
  /** From the bottom up. */
  readonly layers: readonly SourceLayer[];
}

/** An image that a source lists. Nothing of it was read yet: one that is damaged says nothing of the others. */
export interface ListedImage {
  /** What messages call it. */
  readonly what: string;
  /** @throws ImageError what is wrong with its documents */
  open(): Promise<SourceImage>;
}
