const TYPES = {
  File: '0',
  Link: '1',
  SymbolicLink: '2',
  CharacterDevice: '3',
  BlockDevice: '4',
  Directory: '5',
  FIFO: '6',
  ExtendedHeader: 'x',
} as const;

/** What a header of ustar says. What it has no room for is a record of pax(1) before it. */
export interface HeaderFields {
  /** At most 100 bytes of ASCII. */
  readonly path: string;
  /** At most 100 bytes of ASCII. */
  readonly linkpath?: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** In whole seconds, from 1970 on. */
  readonly mtime: Date;
  readonly type: keyof typeof TYPES;
  readonly devmaj?: number;
  readonly devmin?: number;
}

/** A header of an archive: POSIX.1-1988's, in the bytes that node-tar writes. */
export class Header {
  readonly #fields: HeaderFields;

  constructor(fields: HeaderFields) {
    this.#fields = fields;
  }

  /**
   * Writes it into 512 bytes of zeros.
   *
   * @throws RangeError for a field that ustar has no room for
   */
  encode(block: Buffer, offset: number): void {
    const { path, linkpath = '', mode, uid, gid, size, mtime, type, devmaj = 0, devmin = 0 } = this.#fields;
    const text = (value: string, at: number): void => {
      if (Buffer.byteLength(value) > 100) throw new RangeError(`a name of ${value.length} bytes is too long for a header: ${value}`);
      block.write(value, offset + at);
    };
    const number = (value: number, at: number, width: number): void => {
      const digits = value.toString(8);
      if (!Number.isInteger(value) || value < 0 || digits.length >= width) throw new RangeError(`${value} is no number of ${width - 1} octal digits`);
      // The space before the NUL is node-tar's; all readers take it.
      block.write(`${digits.length === width - 1 ? digits : `${digits.padStart(width - 2, '0')} `}\0`, offset + at);
    };
    text(path, 0);
    number(mode, 100, 8);
    number(uid, 108, 8);
    number(gid, 116, 8);
    number(size, 124, 12);
    number(mtime.getTime() / 1000, 136, 12);
    block.write(TYPES[type], offset + 156);
    text(linkpath, 157);
    block.write('ustar\x0000', offset + 257);
    number(devmaj, 329, 8);
    number(devmin, 337, 8);
    block.fill(' ', offset + 148, offset + 156);
    number(
      block.subarray(offset, offset + 512).reduce((sum, byte) => sum + byte, 0),
      148,
      8,
    );
  }
}
