import type { ImageErrorCode } from '../model/error-codes.js';
import { IMAGE_BOUNDS } from '../model/image-bounds.js';
import { ImageError } from '../model/image-error.js';
import { type EntryType, printable, type TarEntry } from './entry.js';
import { EntryData } from './entry-data.js';
import { ExtendedHeaders, isExtension } from './extended-headers.js';
import { BLOCK, isZero, parseHeader, type TarHeader } from './header.js';
import { PieceBuffer } from './piece-buffer.js';
import { oldGnuExtension, oldGnuHeader, paxMap, type SparseMap, verifySparse } from './sparse.js';
import { SparseMapReader } from './sparse-map-reader.js';

/** Receives what a reader reads. Data comes with its offset in the file: holes are skipped. */
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
  /** A block, or an extended header, that did not arrive whole yet. */
  readonly #partial = new PieceBuffer();
  #zeros = 0;
  #position = 0;
  #entries = 0;
  #current = '';

  /** Bytes after the end marker. */
  #tail = 0;
  readonly #extensions = new ExtendedHeaders();

  /** Stored bytes of the entry still to come, then its padding. */
  #left = 0;
  #padding = 0;
  /** Undefined of an entry whose data is passed to nobody. */
  #content: EntryData | undefined;
  /** Whether the handler does not know of the entry. */
  #silent = false;
  #pending: PendingSparse | undefined;
  #sparseMap: SparseMapReader | undefined;

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
   * Takes the next bytes. Slices handed to the handler are only valid until it returns.
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
          if (this.#partial.length || chunk.length - at < BLOCK) {
            const whole = this.#partial.gather(chunk, at, BLOCK);
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
          const { size } = this.#extensions;
          const whole = this.#partial.gather(chunk, at, Math.ceil(size / BLOCK) * BLOCK);
          at += whole.used;
          if (!whole.buffer) return;
          this.#position += whole.buffer.length;
          this.#extended(whole.buffer.subarray(0, size));
          break;
        }
        case 'sparse-data': {
          const map = this.#sparseMap as SparseMapReader;
          const take = Math.min(BLOCK - (map.length % BLOCK), chunk.length - at, this.#left);
          map.push(chunk.subarray(at, at + take));
          at += take;
          this.#left -= take;
          this.#position += take;
          this.#readSparseMap(map);
          break;
        }
        case 'data': {
          const take = Math.min(this.#left, chunk.length - at);
          this.#content?.write(chunk, at, take);
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
   * Ends the archive: there are no more bytes.
   *
   * @param isWhole whether the caller checks that nothing is missing: then the end marker may be, as for Docker, and an
   * archive of no bytes has no entries
   * @throws ImageError `TAR_TRUNCATED` inside an entry or without an end marker, `TAR_EMPTY` when there was nothing at all
   */
  end({ isWhole = false }: { readonly isWhole?: boolean } = {}): void {
    const cut = this.#partial.length > 0 || this.#pending || !['header', 'end'].includes(this.#state);
    if (cut || this.#extensions.isPending)
      throw new ImageError({
        code: 'TAR_TRUNCATED',
        message: this.#current
          ? `the archive ends inside '${printable(this.#current)}'`
          : `the archive ends in the middle, at byte ${this.#position + this.#partial.length}`,
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

  #header(block: Buffer, at: number): void {
    if (isZero(block, at)) {
      if (++this.#zeros === 2) this.#state = 'end';
      return;
    }
    this.#zeros = 0;
    const header = this.#parse(block, at);
    if (header.size < 0) throw this.#problem('TAR_NUMBER', `the size of '${printable(header.name)}' is negative`);
    if (isExtension(header)) {
      this.#extensions.begin(header, (code, message) => this.#problem(code, message));
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
    this.#extensions.add(content);
    this.#state = 'header';
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

  /** Merges extended headers into the header of their entry, and opens the entry. */
  #start(header: TarHeader, holes?: { map: [number, number][]; realSize: number }): void {
    const { name, linkname, uid, gid, size, mtime, xattrs, sparse } = this.#extensions.mergeInto(header);
    const realSize = sparse.realSize ?? holes?.realSize;
    let sparseMap: SparseMap | undefined = holes?.map;
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
    this.#silent = !type;
    // A volume label, or data that belongs to nothing: read over it.
    if (type !== 'file') this.#open(type && entry(0), undefined);
    else if (sparse.major === '1') {
      this.#sparseMap = new SparseMapReader(entry(realSize ?? 0));
      this.#state = 'sparse-data';
    } else {
      if (sparse.numbers.length) sparseMap = paxMap(sparse.numbers, name).filter(([, length]) => length > 0);
      if (sparseMap) this.#openSparse(entry(realSize ?? size), sparseMap, size);
      else this.#open(entry(size), this.#contentIn(undefined));
    }
  }

  #openSparse(entry: TarEntry, map: SparseMap, stored: number): void {
    verifySparse(map, entry.size, stored, entry.name);
    this.#open(entry, this.#contentIn(map));
  }

  #contentIn(map: SparseMap | undefined): EntryData {
    return new EntryData(map, (chunk, offset) => this.#handler.data(chunk, offset));
  }

  /** @param entry undefined where the handler does not learn of it */
  #open(entry: TarEntry | undefined, content: EntryData | undefined): void {
    this.#content = content;
    if (entry) this.#handler.entry(entry);
    this.#state = 'data';
    if (this.#left === 0) this.#finishEntry();
  }

  #readSparseMap(reader: SparseMapReader): void {
    if (reader.length % BLOCK && this.#left) return;
    const map = reader.map(this.#left === 0);
    if (!map) return;
    if (map === 'endless') throw this.#problem('TAR_SPARSE', `the map of holes of '${printable(reader.entry.name)}' has no end`);
    this.#sparseMap = undefined;
    this.#openSparse(reader.entry, map, this.#left);
  }

  #finishEntry(): void {
    if (!this.#silent) this.#handler.end();
    this.#state = this.#padding ? 'padding' : 'header';
  }

  #problem(code: ImageErrorCode, message: string): ImageError {
    return new ImageError({ code, message: `${message}, at byte ${this.#position}`, hint: 'The archive is damaged, or made to do damage.' });
  }
}
