/** A member of an archive; what is not said is what a plain file of root's has. */
export interface Member {
  readonly name: string;
  /** `0` file, `1` hard link, `2` symlink, `3` character, `4` block, `5` directory, `6` fifo, or anything. */
  readonly type?: string;
  readonly data?: string | Uint8Array;
  readonly linkname?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly major?: number;
  readonly minor?: number;
  /** What the size field says; the truth when left out. */
  readonly size?: number;
  /** Records of a PAX header before it; values are bytes. */
  readonly pax?: Readonly<Record<string, string | Uint8Array>>;
  /** Bytes to put into the header, by offset, before the checksum is made. */
  readonly patch?: Readonly<Record<number, string | Uint8Array>>;
  /** Make the checksum wrong. */
  readonly badChecksum?: boolean;
}

const BLOCK = 512;

/** An archive, byte by byte: its headers need not be true. `end: false` leaves the end marker out. */
export function tarArchive(members: readonly Member[], { end = true }: { readonly end?: boolean } = {}): Buffer {
  const parts: Buffer[] = [];
  for (const member of members) {
    if (member.pax) {
      const records = Buffer.concat(Object.entries(member.pax).map(([key, value]) => paxRecord(key, Buffer.from(value))));
      parts.push(header({ name: 'PaxHeader', type: 'x', data: records }, records.length), padded(records));
    }
    const data = Buffer.from(member.data ?? '');
    parts.push(header(member, data.length), padded(data));
  }
  if (end) parts.push(Buffer.alloc(2 * BLOCK));
  return Buffer.concat(parts);
}

/** One PAX record: its length counts itself. */
export function paxRecord(key: string, value: Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length + 1;
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)]);
}

function header(member: Member, length: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, width: number): void => {
    if (value >= 0 && value < 8 ** (width - 1)) block.write(value.toString(8).padStart(width - 1, '0'), at, 'latin1');
    else {
      // GNU's base 256, two's complement.
      for (let i = width - 1, rest = BigInt(value); i >= 0; i--, rest >>= 8n) block[at + i] = Number(rest & 0xffn);
      block[at] = (value < 0 ? 0xff : 0x80) | (value < 0 ? 0 : (block[at] ?? 0));
    }
  };
  block.write(member.name, 0, 100, 'latin1');
  octal(member.mode ?? (member.type === '5' ? 0o755 : 0o644), 100, 8);
  octal(member.uid ?? 0, 108, 8);
  octal(member.gid ?? 0, 116, 8);
  octal(member.size ?? length, 124, 12);
  octal(member.mtime ?? 0, 136, 12);
  block.write(member.type ?? '0', 156, 'latin1');
  block.write(member.linkname ?? '', 157, 100, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  octal(member.major ?? 0, 329, 8);
  octal(member.minor ?? 0, 337, 8);
  for (const [at, bytes] of Object.entries(member.patch ?? {})) Buffer.from(bytes as string).copy(block, Number(at));
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0) + (member.badChecksum ? 1 : 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
