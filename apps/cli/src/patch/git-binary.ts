import { deflateSync } from 'node:zlib';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~';
/** Bytes of the deflated content per line. */
const LINE = 52;

/** Returns the `GIT binary patch` between two contents, in both directions. */
export function gitBinary(before: Buffer, after: Buffer): string {
  return `GIT binary patch\n${literal(after)}\n${literal(before)}\n`;
}

function literal(content: Buffer): string {
  const deflated = deflateSync(content);
  const lines = [`literal ${content.length}\n`];
  for (let at = 0; at < deflated.length; at += LINE) {
    const bytes = deflated.subarray(at, at + LINE);
    lines.push(`${lengthOf(bytes)}${base85(bytes)}\n`);
  }
  return lines.join('');
}

/** Returns the first character of a line, which encodes the number of its bytes: A to Z are 1 to 26, a to z 27 to 52. */
function lengthOf({ length }: Buffer): string {
  return String.fromCharCode(length <= 26 ? 64 + length : 70 + length);
}

/** Encodes bytes in git's base 85, most significant byte first, padded with zeros. */
function base85(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 4) {
    let value = 0;
    for (let i = 0; i < 4; i++) value = value * 256 + (bytes[at + i] ?? 0);
    let group = '';
    for (let i = 0; i < 5; i++) {
      group = DIGITS.charAt(value % 85) + group;
      value = Math.floor(value / 85);
    }
    text += group;
  }
  return text;
}
