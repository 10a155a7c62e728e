const ESCAPES: Readonly<Record<number, string>> = { 7: '\\a', 8: '\\b', 9: '\\t', 10: '\\n', 11: '\\v', 12: '\\f', 13: '\\r', 34: '\\"', 92: '\\\\' };

/**
 * Returns a file name as `git diff` writes it: in double quotes with C escapes if it contains a control character, a quote, a
 * backslash or a byte above 126 (git's `core.quotePath`).
 *
 * @param name bytes, as latin1
 * @param always whether it is always quoted
 */
export function gitName(name: string, always = false): string {
  if (!always && /^[ !#-[\]-~]*$/.test(name)) return name;
  const quoted = Buffer.from(name, 'latin1').reduce((text, byte) => text + quotedByte(byte), '');
  return `"${quoted}"`;
}

function quotedByte(byte: number): string {
  const named = ESCAPES[byte];
  if (named !== undefined) return named;
  return byte < 0x20 || byte > 0x7e ? `\\${byte.toString(8).padStart(3, '0')}` : String.fromCharCode(byte);
}
