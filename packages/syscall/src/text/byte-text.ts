import { ProgramError } from '../errors/program-error.js';

/**
 * Words, paths, variables and names of files are bytes to the kernel and strings here. In specs, `config.json`, printed JSON and ops
 * they have this form: UTF-8 is text, and each byte that is not UTF-8 is one lone surrogate, U+DC80 to U+DCFF for 0x80 to 0xff. Python
 * calls this `surrogateescape` (PEP 383). UTF-8 text has no lone surrogates, so {@link textOf} loses nothing and {@link bytesOf} is its
 * inverse. JSON writes them as `\udcff`.
 *
 * Bytes become text where they enter (the command line, files, the kernel) and bytes again where a system call is made: in the encoder
 * of programs, and in calls of node:fs (`keepBytes`).
 */

const REPLACED = '\ufffd';
/** A high surrogate with no low one after it, or a low one with no high one before it. */
const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const ESCAPES = 0xdc00;

/** Returns bytes as text that keeps those which are not UTF-8. */
export function textOf(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString('utf8');
  // Bytes that are not UTF-8 decode to this character, but text may also contain it.
  if (!text.includes(REPLACED)) return text;
  let whole = '';
  let valid = 0;
  for (let at = 0; at < buffer.length; ) {
    const length = sequenceAt(buffer, at);
    if (length) {
      at += length;
      continue;
    }
    whole += buffer.toString('utf8', valid, at) + String.fromCharCode(ESCAPES + (buffer[at] ?? 0));
    at++;
    valid = at;
  }
  return whole + buffer.toString('utf8', valid);
}

/** Returns the length of the UTF-8 sequence (RFC 3629) at an offset, 0 if there is none. */
function sequenceAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (at + length > bytes.length) return 0;
  for (let i = 1; i < length; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1] ?? 0;
  // Overlong forms, surrogates, and values above U+10FFFF.
  if ((first === 0xe0 && second < 0xa0) || (first === 0xed && second > 0x9f) || (first === 0xf0 && second < 0x90) || (first === 0xf4 && second > 0x8f))
    return 0;
  return length;
}

/**
 * Returns the bytes of a text.
 *
 * @throws ProgramError `TEXT_INVALID` for a lone surrogate that encodes no byte
 */
export function bytesOf(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text, 'utf8');
  const parts: Buffer[] = [];
  let rest = text;
  for (let found = LONE.exec(rest); found; found = LONE.exec(rest)) {
    const byte = rest.charCodeAt(found.index) - ESCAPES;
    if (byte < 0x80 || byte > 0xff)
      throw new ProgramError({
        code: 'TEXT_INVALID',
        message: `${JSON.stringify(text)} has a lone surrogate that encodes no byte`,
        hint: 'Use U+DC80 to U+DCFF for bytes that are not UTF-8.',
      });
    parts.push(Buffer.from(rest.slice(0, found.index), 'utf8'), Buffer.of(byte));
    rest = rest.slice(found.index + 1);
  }
  parts.push(Buffer.from(rest, 'utf8'));
  return Buffer.concat(parts);
}
