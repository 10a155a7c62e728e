import { ProgramError } from '../errors/program-error.js';

/**
 * Words, paths, variables and names of files are bytes to the kernel, and strings here. This is the one form that they have in
 * specs, in `config.json`, in JSON that is printed, and in ops: what is UTF-8 is that text, and each byte that is not is one lone surrogate,
 * U+DC80 to U+DCFF for 0x80 to 0xff. Python calls it `surrogateescape` (PEP 383). No text that is UTF-8 has lone surrogates, so
 * {@link textOf} loses nothing, and {@link bytesOf} is its inverse. JSON writes them as `\udcff`.
 *
 * Bytes become text where they come from outside (the command line, files, the kernel), and bytes again where a system call is made:
 * in the encoder of programs, and in Node's calls on files (`keepBytes` of `restore-arguments`).
 */

const REPLACED = '\ufffd';
/** A high surrogate with no low one after it, or a low one with no high one before it. */
const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const ESCAPES = 0xdc00;

/** Returns bytes as text that keeps those which are no UTF-8. */
export function textOf(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString('utf8');
  // What is replaced is replaced by this; a text may have it for itself.
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

/** The length of the UTF-8 sequence (RFC 3629) at a place, or 0 where there is none. */
function sequenceAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (at + length > bytes.length) return 0;
  for (let i = 1; i < length; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1] ?? 0;
  // Forms that are too long, surrogates, and what is above U+10FFFF.
  if ((first === 0xe0 && second < 0xa0) || (first === 0xed && second > 0x9f) || (first === 0xf0 && second < 0x90) || (first === 0xf4 && second > 0x8f))
    return 0;
  return length;
}

/**
 * Returns the bytes that a text stands for.
 *
 * @throws ProgramError `TEXT_INVALID` for a lone surrogate that stands for no byte
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
        message: `${JSON.stringify(text)} has a lone surrogate that stands for no byte`,
        hint: 'Only U+DC80 to U+DCFF do, for bytes that are no UTF-8.',
      });
    parts.push(Buffer.from(rest.slice(0, found.index), 'utf8'), Buffer.of(byte));
    rest = rest.slice(found.index + 1);
  }
  parts.push(Buffer.from(rest, 'utf8'));
  return Buffer.concat(parts);
}
