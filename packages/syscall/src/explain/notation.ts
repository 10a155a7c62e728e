import type { Bytes } from '../ops/op.js';
import { bytesOf } from '../text/byte-text.js';

/** Bits and their names, in the order in which strace(1) prints them. */
export type FlagNames = readonly (readonly [bit: number, name: string])[];

/** Returns `A|B`; bits without a name in hexadecimal; `0` if none is set. */
export function flags(value: number, names: FlagNames): string {
  const found: string[] = [];
  // BigInt, because shifts and masks of JavaScript keep 32 bits and lose the sign.
  let rest = BigInt(value);
  for (const [bit, name] of names) {
    const mask = BigInt(bit);
    if (mask === 0n || (rest & mask) !== mask) continue;
    found.push(name);
    rest &= ~mask;
  }
  if (rest !== 0n) found.push(`0x${rest.toString(16)}`);
  return found.join('|') || '0';
}

/** Names from a table of constants, each with a prefix, by ascending bits. */
export function named(prefix: string, constants: Readonly<Record<string, number>>): FlagNames {
  return Object.entries(constants)
    .filter(([, bit]) => bit !== 0)
    .sort(([, a], [, b]) => a - b)
    .map(([name, bit]) => [bit, `${prefix}${name}`]);
}

const ESCAPES: Readonly<Record<number, string>> = { 0x22: '\\"', 0x5c: '\\\\', 0x0a: '\\n', 0x0d: '\\r', 0x09: '\\t', 0x0b: '\\v', 0x0c: '\\f' };

/** Returns a string or bytes as C source, `NULL` for null. */
export function quoted(value: Bytes): string {
  if (value === null) return 'NULL';
  const bytes = typeof value === 'string' ? bytesOf(value) : Buffer.from(value);
  let text = '';
  for (const [i, byte] of bytes.entries()) {
    const next = bytes[i + 1] ?? 0;
    // A digit after a short octal escape would belong to the escape.
    const digits = byte.toString(8).padStart(next >= 0x30 && next <= 0x39 ? 3 : 1, '0');
    text += ESCAPES[byte] ?? (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\${digits}`);
  }
  return `"${text}"`;
}

/** Permission bits, in octal with a leading zero. */
export function octal(mode: number): string {
  return mode === 0 ? '000' : `0${mode.toString(8).padStart(2, '0')}`;
}
