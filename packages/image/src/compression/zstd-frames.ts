import { IMAGE_BOUNDS } from '../model/image-bounds.js';
import { ImageError } from '../model/image-error.js';

/** The same bound as `zstd --long=29`. */
export const ZSTD_WINDOW_LOG_MAX: number = Math.log2(IMAGE_BOUNDS.zstdWindow);

const FRAME = 0xfd2fb528;
/** Sixteen magic numbers begin frames that say nothing of the content (RFC 8878, 3.1.2). */
const SKIPPABLE = 0x184d2a5;
const RLE = 1;
const NOTHING: Buffer = Buffer.alloc(0);

/** What the next bytes are. */
type Part = 'magic' | 'skip-size' | 'skip' | 'descriptor' | 'header' | 'block-header' | 'block' | 'checksum';

/** Parts that must be there whole before they say something; the others are passed on as they come. */
const FIELDS: ReadonlySet<Part> = new Set(['magic', 'skip-size', 'descriptor', 'header', 'block-header']);

/**
 * Finds where the frames of a zstd archive end (RFC 8878, 3.1), without decompressing them. Node's decompressor stops at the
 * end of a frame when more follows in the same chunk, and says nothing of the rest: what this returns never does that.
 * Skippable frames, which tell others of an archive (zstd:chunked), are left out.
 */
export class ZstdFrames {
  #part: Part = 'magic';
  /** Bytes still to come of the part. */
  #left = 4;
  #field: Buffer = NOTHING;
  #descriptor = 0;
  #lastBlock = false;
  #position = 0;
  /** The largest window that a frame asked for so far, in bytes. */
  window = 0;

  /** Whether an archive may end here: after a frame. */
  get isBetween(): boolean {
    return this.#part === 'magic' && !this.#field.length;
  }

  /**
   * Returns the next bytes in pieces. No piece has bytes of two frames.
   *
   * @throws ImageError `ARCHIVE_CORRUPT`, `ARCHIVE_WINDOW`
   */
  split(chunk: Buffer): Buffer[] {
    const pieces: Buffer[] = [];
    /** Where in the chunk the piece begins that goes on. */
    let from = 0;
    for (let at = 0; at < chunk.length; ) {
      const used = Math.min(this.#left, chunk.length - at);
      const begun = at;
      at += used;
      this.#left -= used;
      this.#position += used;
      if (FIELDS.has(this.#part)) this.#field = Buffer.concat([this.#field, chunk.subarray(begun, at)]);
      if (this.#left) {
        // Of a magic number nobody knows yet which it is; what is skipped is nobody's.
        if (this.#part === 'magic' || this.#part === 'skip-size' || this.#part === 'skip') from = at;
        break;
      }
      const field = this.#field;
      this.#field = NOTHING;
      switch (this.#part) {
        case 'magic':
          from = at;
          if (this.#magic(field)) pieces.push(field);
          break;
        case 'skip-size':
          from = at;
          this.#expect('skip', field.readUInt32LE(0));
          break;
        case 'skip':
          from = at;
          this.#expect('magic', 4);
          break;
        case 'descriptor':
          this.#descriptor = field[0] as number;
          this.#expect('header', sizeOfHeader(this.#descriptor));
          break;
        case 'header':
          this.#header(field);
          break;
        case 'block-header':
          this.#block(field.readUIntLE(0, 3));
          break;
        default:
          this.#afterBlock();
      }
      this.#passEmpty();
      if (this.isBetween) {
        if (at > from) pieces.push(chunk.subarray(from, at));
        from = at;
      }
    }
    if (from < chunk.length) pieces.push(chunk.subarray(from));
    return pieces;
  }

  /** A part without bytes ends where it begins. */
  #passEmpty(): void {
    if (this.#left) return;
    if (this.#part === 'skip') this.#expect('magic', 4);
    else this.#afterBlock();
  }

  #expect(part: Part, left: number): void {
    this.#part = part;
    this.#left = left;
  }

  #magic(field: Buffer): boolean {
    const number = field.readUInt32LE(0);
    if (number === FRAME) {
      this.#expect('descriptor', 1);
      return true;
    }
    if (number >>> 4 !== SKIPPABLE)
      throw new ImageError({
        code: 'ARCHIVE_CORRUPT',
        message: `the compressed archive goes on after its end with something else, at byte ${this.#position - 4}`,
        hint: 'The file is damaged: fetch it again.',
      });
    this.#expect('skip-size', 4);
    return false;
  }

  #header(header: Buffer): void {
    const window = windowOf(this.#descriptor, header);
    if (window > IMAGE_BOUNDS.zstdWindow)
      throw new ImageError({
        code: 'ARCHIVE_WINDOW',
        message: `the archive needs ${window} bytes of memory to be decompressed; more than ${IMAGE_BOUNDS.zstdWindow} are refused`,
        hint: `Compress it with a smaller window: zstd --long=${ZSTD_WINDOW_LOG_MAX}.`,
      });
    this.window = Math.max(this.window, window);
    this.#expect('block-header', 3);
  }

  #block(header: number): void {
    this.#lastBlock = (header & 1) === 1;
    this.#expect('block', ((header >> 1) & 3) === RLE ? 1 : header >> 3);
  }

  #afterBlock(): void {
    if (this.#part === 'block' && !this.#lastBlock) this.#expect('block-header', 3);
    else if (this.#part === 'block' && this.#descriptor & 4) this.#expect('checksum', 4);
    else this.#expect('magic', 4);
  }
}

const isSingleSegment = (descriptor: number): boolean => (descriptor & 0x20) !== 0;
const sizeOfDictionary = (descriptor: number): number => [0, 1, 2, 4][descriptor & 3] as number;
const sizeOfContentSize = (descriptor: number): number => [isSingleSegment(descriptor) ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;

function sizeOfHeader(descriptor: number): number {
  return (isSingleSegment(descriptor) ? 0 : 1) + sizeOfDictionary(descriptor) + sizeOfContentSize(descriptor);
}

/** Returns how far back a frame looks, in bytes: a frame of a single segment, as far as its content is long. */
function windowOf(descriptor: number, header: Buffer): number {
  if (!isSingleSegment(descriptor)) {
    const byte = header[0] as number;
    return 2 ** (10 + (byte >> 3)) * (1 + (byte & 7) / 8);
  }
  const size = sizeOfContentSize(descriptor);
  if (size === 8) return Number(header.readBigUInt64LE(header.length - 8));
  return header.readUIntLE(header.length - size, size) + (size === 2 ? 256 : 0);
}
