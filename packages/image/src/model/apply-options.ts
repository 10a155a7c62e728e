import type { LowerNames } from './lower-names.js';

/** Options of unpacking a layer. */
export interface ApplyOptions {
  /** Aborts; a part of the layer may be there then. */
  readonly signal?: AbortSignal;
  /** Called as bytes of the archive are taken. */
  readonly onProgress?: (progress: { readonly bytes: number; readonly entries: number }) => void;
  /** Refuse archives with more entries. Default 5 million. */
  readonly maxEntries?: number;
  /** Bytes that the archive must have as it is; more or less is refused as soon as it is seen. */
  readonly expectedSize?: number;
  /**
   * The caller knows what the digest or diffID must be, and compares. Such an archive is whole if they are equal, also
   * without an end marker or when it is empty: then it is an empty layer, as for Docker.
   */
  readonly isPromised?: boolean;
  /** Given every chunk of the blob that is to be kept (see {@link AppliedLayer.blob}); awaited. */
  readonly tee?: (chunk: Buffer) => Promise<void>;
  /**
   * The layer will lie on others: hard links to what it does not hold are noted, see
   * {@link AppliedLayer.lowerLinks}. Else they are refused.
   */
  readonly stacked?: boolean;
  /** What the directory holds already, of the layers below. */
  readonly lowerNames?: LowerNames;
}
