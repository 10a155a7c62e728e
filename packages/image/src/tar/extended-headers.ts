import type { ImageErrorCode } from '../model/error-codes.js';
import { IMAGE_BOUNDS } from '../model/image-bounds.js';
import type { ImageError } from '../model/image-error.js';
import { printable } from './entry.js';
import { type TarHeader, text } from './header.js';
import { type MergedHeader, mergeExtensions } from './merge-extensions.js';
import { type PaxRecords, parsePax } from './pax.js';

/** Type flags of headers that describe the next entry, or all that follow: PAX (x, its old X, g) and GNU (L, K). */
export const isExtension = ({ typeflag }: TarHeader): boolean => 'xgLKX'.includes(typeflag);

/** The extended headers of an archive: those for the next entry, and the global ones. Each is small, but they are kept, so their sum is bounded. */
export class ExtendedHeaders {
  readonly #global = new Map<string, string>();
  #records: PaxRecords = [];
  #longName: string | undefined;
  #longLink: string | undefined;
  /** Bytes since the last entry. */
  #bytes = 0;
  #globalBytes = 0;
  #next: TarHeader | undefined;

  /** Whether there are some for an entry that has not come yet. */
  get isPending(): boolean {
    return this.#longName !== undefined || this.#records.length > 0;
  }

  /** Bytes of the content of the header that was begun. */
  get size(): number {
    return this.#next?.size ?? 0;
  }

  /**
   * Begins an extended header, whose content comes next.
   *
   * @param problem makes the error
   * @throws ImageError `TAR_EXTENSION_TOO_LARGE`
   */
  begin(header: TarHeader, problem: (code: ImageErrorCode, message: string) => ImageError): void {
    const isGlobal = header.typeflag === 'g';
    const bound = isGlobal ? IMAGE_BOUNDS.globalExtensions : IMAGE_BOUNDS.extensions;
    const kept = isGlobal ? (this.#globalBytes += header.size) : (this.#bytes += header.size);
    if (header.size > IMAGE_BOUNDS.extension || kept > bound)
      throw problem(
        'TAR_EXTENSION_TOO_LARGE',
        `an extended header of ${header.size} bytes stands before '${printable(header.name)}'; ${Math.min(bound, IMAGE_BOUNDS.extension)} is the most of one, and ${bound} of several`,
      );
    this.#next = header;
  }

  /** Adds the header that was begun. @throws ImageError `TAR_PAX` */
  add(content: Buffer): void {
    const kind = this.#next?.typeflag;
    this.#next = undefined;
    if (kind === 'L') this.#longName = text(content, 0, content.length);
    else if (kind === 'K') this.#longLink = text(content, 0, content.length);
    else if (kind === 'g') for (const [key, value] of parsePax(content)) this.#global.set(key, value);
    else this.#records = [...this.#records, ...parsePax(content)];
  }

  /** Merges the extended headers into the header of their entry; only the global ones are kept. @throws ImageError `TAR_PAX` */
  mergeInto(header: TarHeader): MergedHeader {
    const records = this.#global.size ? [...this.#global, ...this.#records] : this.#records;
    const merged = mergeExtensions(header, records, { name: this.#longName, linkname: this.#longLink });
    this.#longName = this.#longLink = undefined;
    this.#records = [];
    this.#bytes = 0;
    return merged;
  }
}
