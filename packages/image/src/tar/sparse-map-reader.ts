import { IMAGE_BOUNDS } from '../model/image-bounds.js';
import type { TarEntry } from './entry.js';
import { PieceBuffer } from './piece-buffer.js';
import { dataMap, linesOfMap, type SparseMap } from './sparse.js';

/** Two numbers of as many digits as there can be, for each piece. */
const SPARSE_MAP_MAX = IMAGE_BOUNDS.sparsePieces * 40;
const NEWLINE = 0x0a;

/** Reads the map that stands in front of the data of a sparse file (GNU tar's PAX format 1.0). */
export class SparseMapReader {
  readonly entry: TarEntry;
  readonly #pieces = new PieceBuffer();
  /** Lines of the map that are there, and that it must have. */
  #lines = 0;
  #wanted: number | undefined;

  constructor(entry: TarEntry) {
    this.entry = entry;
  }

  /** Bytes that are here. */
  get length(): number {
    return this.#pieces.length;
  }

  /** Adds stored bytes: at most up to the end of a block. */
  push(piece: Buffer): void {
    this.#pieces.push(piece);
    for (const byte of piece) if (byte === NEWLINE) this.#lines++;
  }

  /**
   * Returns the map when its last block is there. It is joined once, when all its lines are there, however many blocks it has.
   *
   * @param isLast whether the entry has no more bytes
   * @returns undefined when more is needed; `endless` when the map has no end
   * @throws ImageError `TAR_SPARSE`
   */
  map(isLast: boolean): SparseMap | 'endless' | undefined {
    this.#wanted ??= linesOfMap(this.#pieces.joined());
    if (this.#lines < this.#wanted && !isLast && this.#pieces.length <= SPARSE_MAP_MAX) return undefined;
    return dataMap(this.#pieces.joined(), this.entry.name)?.map.filter(([, length]) => length > 0) ?? 'endless';
  }
}
