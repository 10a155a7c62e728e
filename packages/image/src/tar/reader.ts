import type { ImageErrorCode } from '../model/error-codes.js';
import { IMAGE_BOUNDS } from '../model/image-bounds.js';
import { ImageError } from '../model/image-error.js';
import { type EntryType, printable, type TarEntry } from './entry.js';
import { BLOCK, isZero, parseHeader, type TarHeader, text } from './header.js';
import { mergeExtensions } from './merge-extensions.js';
import { type PaxRecords, parsePax } from './pax.js';
import { dataMap, linesOfMap, oldGnuExtension, oldGnuHeader, paxMap, type SparseMap, verifySparse } from './sparse.js';

/** Two numbers of as many digits as there can be, for each piece. */
const SPARSE_MAP_MAX = IMAGE_BOUNDS.sparsePieces * 40;

/** Where a reader tells what it reads. Data comes with its offset in the file: holes are skipped. */
export interface TarHandler {
  entry(entry: TarEntry): void;
  data(chunk: Buffer, offset: number): void;
  end(): void;
}

const TYPES: Readonly<Record<string, EntryType>> = {
  '0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  D: 'directory',
  '6': 'fifo',
};

type State = 'header' | 'extension' | 'sparse-extension' | 'sparse-data' | 'data' | 'padding' | 'end';

/** An old GNU sparse header whose map is not complete yet. */
interface PendingSparse {
  readonly header: TarHeader;
  readonly map: [number, number][];
  readonly realSize: number;
}

/**
 * Reads a tar archive as its bytes arrive: ustar, PAX, GNU with long names, all four ways to write
 * sparse files, and what old tars made. Holds no more than one extension header.
 *
 * It is our own, and not node-tar's parser, because that one turns names and extended headers
 * into UTF-8 text, times into milliseconds, and knows neither binary attributes nor sparse files:
 * an image would lose them.
 */
export class TarReader {
  readonly #handler: TarHandler;
  #state: State = 'header';
  /** A piece that did not arrive whole yet. */
  #partial: Buffer[] = [];
  #partialLength = 0;
  #zeros = 0;
  #position = 0;
  #entries = 0;
  #current = '';

  /** Bytes after the end marker. */
  #tail = 0;
  /** Bytes of extended headers since the last entry, and of global ones: each is small, but they are kept. */
  #extensionBytes = 0;
  #globalBytes = 0;

  #extension: { kind: string; size: number } | undefined;
  #longName: string | undefined;
  #longLink: string | undefined;
  #records: PaxRecords = [];
  #global = new Map<string, string>();

  /** Stored bytes of the entry still to come, then its padding. */
  #left = 0;
  #padding = 0;
  #offset = 0;
  #sparse: { map: SparseMap; piece: number; within: number } | undefined;
  #pending: PendingSparse | undefined;

  constructor(handler: TarHandler) {
    this.#handler = handler;
  }

  /** How many entries were read. */
  get entries(): number {
    return this.#entries;
  }

  /** Whether the end marker was seen. */
  get complete(): boolean {
    return this.#zeros > 0;
  }

  /**
   * Take the next bytes. Slices handed to the handler are only valid until it returns.
   *
   * @throws ImageError `TAR_CHECKSUM`, `TAR_NUMBER`, `TAR_PAX`, `TAR_SPARSE`, `TAR_TYPE`,
   * `TAR_EXTENSION_TOO_LARGE`, `TAR_TAIL`; each names the entry, or where in the archive it was
   */
  write(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && this.#state !== 'end') {
      switch (this.#state) {
        case 'header':
        case 'sparse-extension': {
          let block = chunk;
          let start = at;
          if (this.#partialLength || chunk.length - at < BLOCK) {
            const whole = this.#gather(chunk, at, BLOCK);
            at += whole.used;
            if (!whole.buffer) return;
            block = whole.buffer;
            start = 0;
          } else at += BLOCK;
          if (this.#state === 'header') this.#header(block, start);
          else this.#sparseExtension(block, start);
          this.#position += BLOCK;
          break;
        }
        case 'extension': {
          const { size } = this.#extension as { size: number };
          const whole = this.#gather(chunk, at, Math.ceil(size / BLOCK) * BLOCK);
          at += whole.used;
          if (!whole.buffer) return;
          this.#position += whole.buffer.length;
          this.#extended(whole.buffer.subarray(0, size));
          break;
        }
        case 'sparse-data': {
          const take = Math.min(BLOCK - (this.#partialLength % BLOCK), chunk.length - at, this.#left);
          const piece = Buffer.from(chunk.subarray(at, at + take));
          this.#partial.push(piece);
          this.#partialLength += take;
          for (const byte of piece) if (byte === 0x0a) this.#sparseLines++;
          at += take;
          this.#left -= take;
          this.#position += take;
          this.#sparseData();
          break;
        }
        case 'data': {
          const take = Math.min(this.#left, chunk.length - at);
          this.#data(chunk, at, take);
          at += take;
          this.#left -= take;
          this.#position += take;
          if (this.#left === 0) this.#finishEntry();
          break;
        }
        case 'padding': {
          const take = Math.min(this.#padding, chunk.length - at);
          at += take;
          this.#padding -= take;
          this.#position += take;
          if (this.#padding === 0) this.#state = 'header';
          break;
        }
      }
    }
    if (this.#state !== 'end') return;
    this.#tail += chunk.length - at;
    if (this.#tail > IMAGE_BOUNDS.tail) throw this.#problem('TAR_TAIL', `the archive goes on for more than ${IMAGE_BOUNDS.tail} bytes after its end`);
  }

  /**
   * There is nothing more.
   *
   * @param isWhole whether the caller checks that nothing is missing: then the end marker may be, as for Docker, and an
   * archive of no bytes has no entries
   * @throws ImageError `TAR_TRUNCATED` inside an entry or without an end marker, `TAR_EMPTY` when there was nothing at all
   */
  end({ isWhole = false }: { readonly isWhole?: boolean } = {}): void {
    const cut = this.#partialLength > 0 || this.#pending || !['header', 'end'].includes(this.#state);
    if (cut || this.#longName !== undefined || this.#records.length)
      throw new ImageError({
        code: 'TAR_TRUNCATED',
        message: this.#current
          ? `the archive ends inside '${printable(this.#current)}'`
          : `the archive ends in the middle, at byte ${this.#position + this.#partialLength}`,
        hint: 'The file is incomplete: fetch it again.',
      });
    if (isWhole || this.complete) return;
    if (this.#position === 0) throw new ImageError({ code: 'TAR_EMPTY', message: 'the archive is empty', hint: 'A tar archive has at least an end marker.' });
    throw new ImageError({
      code: 'TAR_TRUNCATED',
      message: `the archive ends at byte ${this.#position}, after '${printable(this.#current)}', without an end marker: the rest may be missing`,
      hint: 'Fetch it again. If it has all that it should have, add the marker, 1024 zeros: (cat FILE; head -c 1024 /dev/zero)',
    });
  }

  /** Collect `size` bytes over several chunks. */
  #gather(chunk: Buffer, at: number, size: number): { buffer: Buffer | undefined; used: number } {
    const need = size - this.#partialLength;
    const used = Math.min(need, chunk.length - at);
    if (used === need && !this.#partialLength) return { buffer: chunk.subarray(at, at + used), used };
    this.#partial.push(Buffer.from(chunk.subarray(at, at + used)));
    this.#partialLength += used;
    if (used < need) return { buffer: undefined, used };
    const buffer = Buffer.concat(this.#partial, size);
    this.#partial = [];
    this.#partialLength = 0;
    return { buffer, used };
  }

  #header(block: Buffer, at: number): void {
    if (isZero(block, at)) {
      if (++this.#zeros === 2) this.#state = 'end';
      return;
    }
    this.#zeros = 0;
    const header = this.#parse(block, at);
    if (header.size < 0) throw this.#problem('TAR_NUMBER', `the size of '${printable(header.name)}' is negative`);
    if ('xgLKX'.includes(header.typeflag)) {
      const isGlobal = header.typeflag === 'g';
      const bound = isGlobal ? IMAGE_BOUNDS.globalExtensions : IMAGE_BOUNDS.extensions;
      const kept = isGlobal ? (this.#globalBytes += header.size) : (this.#extensionBytes += header.size);
      if (header.size > IMAGE_BOUNDS.extension || kept > bound)
        throw this.#problem(
          'TAR_EXTENSION_TOO_LARGE',
          `an extended header of ${header.size} bytes stands before '${printable(header.name)}'; ${Math.min(bound, IMAGE_BOUNDS.extension)} is the most of one, and ${bound} of several`,
        );
      this.#extension = { kind: header.typeflag, size: header.size };
      if (header.size > 0) this.#state = 'extension';
      else this.#extended(Buffer.alloc(0));
      return;
    }
    if (header.typeflag === 'S') {
      const { map, realSize, more } = oldGnuHeader(block, at, header.name);
      this.#pending = { header, map, realSize };
      if (more) this.#state = 'sparse-extension';
      else this.#startOldSparse();
      return;
    }
    this.#start(header);
  }

  #parse(block: Buffer, at: number): TarHeader {
    try {
      return parseHeader(block, at);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      if (error.code === 'TAR_CHECKSUM' && this.#position === 0 && this.#entries === 0)
        throw new ImageError({
          code: 'TAR_INVALID',
          message: 'this is not a tar archive',
          hint: 'Give a tar of a root filesystem: plain, gzip, zstd or xz.',
          cause: error,
        });
      const after = this.#current ? ` (after '${printable(this.#current)}')` : '';
      throw new ImageError({ code: error.code, message: `${printable(error.message)}, at byte ${this.#position}${after}`, hint: error.hint });
    }
  }

  #extended(content: Buffer): void {
    const { kind } = this.#extension as { kind: string };
    this.#extension = undefined;
    this.#state = 'header';
    switch (kind) {
      case 'L':
        this.#longName = text(content, 0, content.length);
        break;
      case 'K':
        this.#longLink = text(content, 0, content.length);
        break;
      case 'g':
        for (const [key, value] of parsePax(content)) this.#global.set(key, value);
        break;
      default:
        this.#records = [...this.#records, ...parsePax(content)];
    }
  }

  #sparseExtension(block: Buffer, at: number): void {
    const pending = this.#pending as PendingSparse;
    const { map, more } = oldGnuExtension(block, at, pending.header.name);
    pending.map.push(...map);
    if (pending.map.length > IMAGE_BOUNDS.sparsePieces)
      throw this.#problem('TAR_SPARSE', `'${printable(pending.header.name)}' has more than ${IMAGE_BOUNDS.sparsePieces} holes`);
    if (!more) this.#startOldSparse();
  }

  #startOldSparse(): void {
    const { header, map, realSize } = this.#pending as PendingSparse;
    this.#pending = undefined;
    this.#start(header, { map: map.filter(([, length]) => length > 0), realSize });
  }

  /** Merge what stood before a header into it, and open the entry. */
  #start(header: TarHeader, holes?: { map: [number, number][]; realSize: number }): void {
    const records = this.#global.size ? [...this.#global, ...this.#records] : this.#records;
    const merged = mergeExtensions(header, records, { name: this.#longName, linkname: this.#longLink });
    const { name, linkname, uid, gid, size, mtime, xattrs, sparse } = merged;
    const realSize = sparse.realSize ?? holes?.realSize;
    let sparseMap: SparseMap | undefined = holes?.map;
    this.#longName = this.#longLink = undefined;
    this.#records = [];
    this.#extensionBytes = 0;
    this.#current = name;
    this.#entries++;
    if (size < 0) throw this.#problem('TAR_NUMBER', `the size of '${printable(name)}' is negative`);
    let type = TYPES[header.typeflag];
    if (!type && header.typeflag !== 'V') throw this.#problem('TAR_TYPE', `'${printable(name)}' has the unknown type '${printable(header.typeflag)}'`);
    if (type === 'file' && header.typeflag === '0' && name.endsWith('/')) type = 'directory';
    // Only files have data, and GNU's directory dumps; a link's size is its target's, a directory's
    // a hint.
    const stored = type === 'file' || header.typeflag === 'D' || header.typeflag === 'V' ? size : 0;
    this.#left = stored;
    this.#padding = (BLOCK - (stored % BLOCK)) % BLOCK;
    this.#offset = 0;
    this.#sparse = undefined;

    const entry = (fileSize: number): TarEntry => ({
      type: type as EntryType,
      name,
      linkname,
      mode: header.mode & 0o7777,
      uid,
      gid,
      size: fileSize,
      mtimeSeconds: mtime[0],
      mtimeNanoseconds: mtime[1],
      major: header.major,
      minor: header.minor,
      xattrs,
    });
    if (!type || type !== 'file') {
      // A volume label, or data that belongs to nothing: read over it.
      this.#skipping = true;
      this.#silent = !type;
      if (type) this.#handler.entry(entry(0));
      this.#state = 'data';
      if (this.#left === 0) this.#finishEntry();
      return;
    }
    this.#skipping = this.#silent = false;
    if (sparse.major === '1') {
      this.#sparseEntry = { entry: entry(realSize ?? 0), name };
      this.#state = 'sparse-data';
      return;
    }
    if (sparse.numbers.length) sparseMap = paxMap(sparse.numbers, name).filter(([, length]) => length > 0);
    if (sparseMap) this.#openSparse(entry(realSize ?? size), sparseMap, size, name);
    else {
      this.#handler.entry(entry(size));
      this.#state = 'data';
      if (this.#left === 0) this.#finishEntry();
    }
  }

  /** The data is nobody's. */
  #skipping = false;
  /** The handler does not know of the entry. */
  #silent = false;
  #sparseEntry: { entry: TarEntry; name: string } | undefined;
  /** Lines of its map that are there, and that it is to have. */
  #sparseLines = 0;
  #sparseWanted: number | undefined;

  #openSparse(entry: TarEntry, map: SparseMap, stored: number, name: string): void {
    verifySparse(map, entry.size, stored, name);
    this.#sparse = { map, piece: 0, within: 0 };
    this.#handler.entry(entry);
    this.#state = 'data';
    if (this.#left === 0) this.#finishEntry();
  }

  /** Read the map that stands in front of a PAX 1.0 sparse file. */
  #sparseData(): void {
    const { entry, name } = this.#sparseEntry as { entry: TarEntry; name: string };
    if (this.#partialLength % BLOCK && this.#left) return;
    // The map is put together once, when all its lines are there, however many blocks it has.
    this.#sparseWanted ??= linesOfMap(Buffer.concat(this.#partial));
    const isThere = this.#sparseLines >= this.#sparseWanted || this.#left === 0 || this.#partialLength > SPARSE_MAP_MAX;
    const found = isThere ? dataMap(Buffer.concat(this.#partial), name) : undefined;
    if (!found) {
      if (isThere) throw this.#problem('TAR_SPARSE', `the map of holes of '${printable(name)}' has no end`);
      return;
    }
    this.#sparseLines = 0;
    this.#sparseWanted = undefined;
    this.#partial = [];
    this.#partialLength = 0;
    this.#sparseEntry = undefined;
    this.#openSparse(
      entry,
      found.map.filter(([, length]) => length > 0),
      this.#left,
      name,
    );
  }

  #data(chunk: Buffer, at: number, length: number): void {
    if (this.#skipping) return;
    if (!this.#sparse) {
      if (length) this.#handler.data(chunk.subarray(at, at + length), this.#offset);
      this.#offset += length;
      return;
    }
    let from = at;
    while (from < at + length) {
      // verifySparse() has seen to it that the pieces are as long as the data.
      const [offset, size] = this.#sparse.map[this.#sparse.piece] as readonly [number, number];
      const take = Math.min(size - this.#sparse.within, at + length - from);
      this.#handler.data(chunk.subarray(from, from + take), offset + this.#sparse.within);
      from += take;
      this.#sparse.within += take;
      if (this.#sparse.within === size) {
        this.#sparse.piece++;
        this.#sparse.within = 0;
      }
    }
  }

  #finishEntry(): void {
    if (!this.#silent) this.#handler.end();
    this.#state = this.#padding ? 'padding' : 'header';
  }

  #problem(code: ImageErrorCode, message: string): ImageError {
    return new ImageError({ code, message: `${message}, at byte ${this.#position}`, hint: 'The archive is damaged, or made to do damage.' });
  }
}
