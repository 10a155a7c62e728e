import { IMAGE_BOUNDS } from '../model/image-bounds.js';
import { ImageError } from '../model/image-error.js';
import { printable } from './entry.js';
import { BLOCK, numeric } from './header.js';
import { paxInteger } from './pax.js';

/** Where the pieces of a file with holes belong: offset and length, ascending. */
export type SparseMap = readonly (readonly [offset: number, length: number])[];

/** The four pieces in an old GNU header (type `S`) and whether an extension block follows. */
export function oldGnuHeader(b: Buffer, at: number, name: string): { map: [number, number][]; realSize: number; more: boolean } {
  return {
    map: pieces(b, at + 386, 4, name),
    realSize: numeric(b, at + 483, 12, 'real size', name),
    more: b[at + 482] === 1,
  };
}

/** An extension block of 21 pieces. */
export function oldGnuExtension(b: Buffer, at: number, name: string): { map: [number, number][]; more: boolean } {
  return { map: pieces(b, at, 21, name), more: b[at + 504] === 1 };
}

function pieces(b: Buffer, at: number, count: number, name: string): [number, number][] {
  const map: [number, number][] = [];
  for (let i = 0; i < count; i++) {
    const entry = at + i * 24;
    if (b[entry] === 0) break;
    map.push([numeric(b, entry, 12, 'sparse offset', name), numeric(b, entry + 12, 12, 'sparse length', name)]);
  }
  return map;
}

/** PAX 0.0 (repeated offset and numbytes records) and 0.1 (one list). */
export function paxMap(numbers: readonly string[], name: string): [number, number][] {
  const map: [number, number][] = [];
  if (numbers.length % 2) throw wrong(name);
  for (let i = 0; i < numbers.length; i += 2)
    map.push([paxInteger('sparse offset', numbers[i] as string, name), paxInteger('sparse length', numbers[i + 1] as string, name)]);
  return map;
}

/**
 * PAX 1.0: the map stands in front of the data, as decimal lines padded to a whole block.
 *
 * @returns undefined when more data is needed
 */
export function dataMap(b: Buffer, name: string): { map: [number, number][]; used: number } | undefined {
  let at = 0;
  const next = (): number | undefined => {
    const end = b.indexOf(0x0a, at);
    if (end < 0) {
      if (b.length - at > 32) throw wrong(name);
      return undefined;
    }
    const value = paxInteger('sparse map', b.toString('latin1', at, end), name);
    at = end + 1;
    return value;
  };
  const count = next();
  if (count === undefined) return undefined;
  if (count < 0 || count > IMAGE_BOUNDS.sparsePieces) throw wrong(name);
  const map: [number, number][] = [];
  for (let i = 0; i < count; i++) {
    const offset = next();
    const length = offset === undefined ? undefined : next();
    if (offset === undefined || length === undefined) return undefined;
    map.push([offset, length]);
  }
  const used = Math.ceil(at / BLOCK) * BLOCK;
  return b.length < used ? undefined : { map, used };
}

/** Returns how many lines such a map has, by its first; none if that is not a number, which {@link dataMap} refuses. */
export function linesOfMap(b: Buffer): number {
  const count = Number(b.toString('latin1', 0, Math.max(0, b.indexOf(0x0a))) || Number.NaN);
  return Number.isInteger(count) && count <= IMAGE_BOUNDS.sparsePieces ? 2 * count + 1 : 0;
}

/** The pieces must be in order, inside the file, and as long together as the data that is there. */
export function verifySparse(map: SparseMap, realSize: number, stored: number, name: string): void {
  let end = 0;
  let total = 0;
  for (const [offset, length] of map) {
    if (offset < end || length < 0 || !Number.isSafeInteger(offset + length)) throw wrong(name);
    end = offset + length;
    total += length;
  }
  if (end > realSize || total !== stored) throw wrong(name);
}

function wrong(name: string): ImageError {
  return new ImageError({
    code: 'TAR_SPARSE',
    message: `the map of holes of '${printable(name)}' contradicts itself`,
    hint: 'The archive is damaged.',
  });
}
