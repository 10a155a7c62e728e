import { ImageError } from '../model/image-error.js';

/** Every header and every padding of data is a multiple of this. */
export const BLOCK = 512;

/** A ustar or GNU header block as it stands (POSIX pax(1), "ustar Interchange Format"). */
export interface TarHeader {
  readonly name: string;
  readonly linkname: string;
  readonly typeflag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly major: number;
  readonly minor: number;
  readonly gnu: boolean;
}

/** Whether a block is all zeros: the end marker is two of them. */
export function isZero(b: Buffer, at: number): boolean {
  for (let i = at; i < at + BLOCK; i++) if (b[i] !== 0) return false;
  return true;
}

/** @throws ImageError `TAR_CHECKSUM`, `TAR_NUMBER` */
export function parseHeader(b: Buffer, at: number): TarHeader {
  verifyChecksum(b, at);
  const ustar = b[at + 257] === 0x75 && b.toString('latin1', at + 257, at + 262) === 'ustar';
  const gnu = ustar && b[at + 262] === 0x20;
  let name = text(b, at, 100);
  if (ustar && !gnu && b[at + 345] !== 0) name = `${text(b, at + 345, 155)}/${name}`;
  return {
    name,
    linkname: text(b, at + 157, 100),
    typeflag: b[at + 156] === 0 ? '0' : String.fromCharCode(b[at + 156] as number),
    mode: numeric(b, at + 100, 8, 'mode', name),
    uid: numeric(b, at + 108, 8, 'uid', name),
    gid: numeric(b, at + 116, 8, 'gid', name),
    size: numeric(b, at + 124, 12, 'size', name),
    mtime: numeric(b, at + 136, 12, 'mtime', name),
    major: ustar ? numeric(b, at + 329, 8, 'devmajor', name) : 0,
    minor: ustar ? numeric(b, at + 337, 8, 'devminor', name) : 0,
    gnu,
  };
}

/** A NUL-terminated field, or one that fills its room. */
export function text(b: Buffer, at: number, length: number): string {
  let end = at;
  while (end < at + length && b[end] !== 0) end++;
  return b.toString('latin1', at, end);
}

/** Octal text, or GNU's base 256 when the first bit is set. */
export function numeric(b: Buffer, at: number, length: number, field: string, name: string): number {
  const first = b[at] as number;
  if (first & 0x80) {
    // Two's complement with its top bit taken as the mark.
    let value = first & 0x40 ? (first & 0x7f) - 0x80 : first & 0x7f;
    for (let i = at + 1; i < at + length; i++) value = value * 256 + (b[i] as number);
    if (!Number.isSafeInteger(value)) throw wrong(field, name, 'is too large');
    return value;
  }
  let value = 0;
  let digits = 0;
  let i = at;
  while (i < at + length && b[i] === 0x20) i++;
  for (; i < at + length; i++) {
    const c = b[i] as number;
    if (c === 0 || c === 0x20) break;
    if (c < 0x30 || c > 0x37) throw wrong(field, name, 'is not an octal number');
    value = value * 8 + (c - 0x30);
    digits++;
  }
  return digits ? value : 0;
}

function wrong(field: string, name: string, what: string): ImageError {
  return new ImageError({
    code: 'TAR_NUMBER',
    message: `the ${field} of '${name}' ${what}`,
    hint: 'The archive is damaged, or not made by a tar that others can read.',
  });
}

/** The sum of the block's bytes with the checksum itself as spaces; some old tars summed signed bytes. */
function verifyChecksum(b: Buffer, at: number): void {
  let unsigned = 256;
  let high = 0;
  for (let i = at; i < at + 148; i++) {
    const c = b[i] as number;
    unsigned += c;
    high += c >> 7;
  }
  for (let i = at + 156; i < at + BLOCK; i++) {
    const c = b[i] as number;
    unsigned += c;
    high += c >> 7;
  }
  let said = -1;
  for (let i = at + 148, value = 0; i < at + 156; i++) {
    const c = b[i] as number;
    if (c >= 0x30 && c <= 0x37) said = value = value * 8 + (c - 0x30);
    else if (said >= 0) break;
    else if (c !== 0x20 && c !== 0) break;
  }
  if (said === unsigned || said === unsigned - 256 * high) return;
  throw new ImageError({
    code: 'TAR_CHECKSUM',
    message: 'a header has a wrong checksum',
    hint: 'The file is damaged, or no tar archive.',
  });
}
