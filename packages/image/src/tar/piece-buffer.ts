/** Joins pieces of input until as many bytes are there as are needed. */
export class PieceBuffer {
  #pieces: Buffer[] = [];
  #length = 0;

  /** Bytes that are here, and not taken yet. */
  get length(): number {
    return this.#length;
  }

  /** Adds a copy of these bytes. */
  push(piece: Buffer): void {
    this.#pieces.push(Buffer.from(piece));
    this.#length += piece.length;
  }

  /**
   * Returns `size` bytes: those that are here, and the next of a chunk. Without pieces this is a slice of the chunk itself.
   *
   * @returns `buffer` undefined when the chunk ends before; `used`: how many of its bytes were taken
   */
  gather(chunk: Buffer, at: number, size: number): { readonly buffer: Buffer | undefined; readonly used: number } {
    const need = size - this.#length;
    const used = Math.min(need, chunk.length - at);
    const piece = chunk.subarray(at, at + used);
    if (used === need && !this.#length) return { buffer: piece, used };
    this.push(piece);
    return { buffer: used < need ? undefined : this.#takeAll(), used };
  }

  /** Returns all bytes that are here, which stay. */
  joined(): Buffer {
    return Buffer.concat(this.#pieces, this.#length);
  }

  #takeAll(): Buffer {
    const all = this.joined();
    this.#pieces = [];
    this.#length = 0;
    return all;
  }
}
