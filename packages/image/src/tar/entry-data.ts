import type { SparseMap } from './sparse.js';

/** Finds for the stored bytes of one entry where they belong in its file: one after the other, or around its holes. */
export class EntryData {
  readonly #map: SparseMap | undefined;
  readonly #tell: (chunk: Buffer, offset: number) => void;
  #offset = 0;
  #piece = 0;
  #within = 0;

  /**
   * @param map of a sparse file: its pieces are as long as its stored bytes, see `verifySparse()`
   * @param tell receives each slice, with its offset in the file
   */
  constructor(map: SparseMap | undefined, tell: (chunk: Buffer, offset: number) => void) {
    this.#map = map;
    this.#tell = tell;
  }

  write(chunk: Buffer, at: number, length: number): void {
    if (!this.#map) {
      if (length) this.#tell(chunk.subarray(at, at + length), this.#offset);
      this.#offset += length;
      return;
    }
    let from = at;
    while (from < at + length) {
      const [offset, size] = this.#map[this.#piece] as readonly [number, number];
      const take = Math.min(size - this.#within, at + length - from);
      this.#tell(chunk.subarray(from, from + take), offset + this.#within);
      from += take;
      this.#within += take;
      if (this.#within === size) {
        this.#piece++;
        this.#within = 0;
      }
    }
  }
}
