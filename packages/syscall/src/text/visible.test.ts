import fc from 'fast-check';
import { expect, test } from 'vitest';
import { visible, visibleBytes, visibleJson } from './visible.js';

/** What no terminal may get from us: by another road than the implementation's. */
function isSafe(text: string): boolean {
  return [...text].every((character) => {
    const code = character.codePointAt(0) ?? 0;
    const bidi = code === 0x61c || code === 0x200e || code === 0x200f || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    return code >= 0x20 && !(code >= 0x7f && code <= 0x9f) && !bidi && !(code >= 0xd800 && code <= 0xdfff);
  });
}

const unit = fc.oneof(fc.integer({ min: 0, max: 0x2100 }), fc.integer({ min: 0, max: 0xffff })).map((code) => String.fromCharCode(code));
const anything = fc
  .array(fc.oneof(unit, fc.constantFrom('\u{1f600}', '\u{e0041}', '\u061c', '\u202e', '\x1b]0;pwn\x07', '\x9b31m')))
  .map((parts) => parts.join(''));

test('whatever text is, what is shown of it is safe, and showing it again changes nothing', () => {
  fc.assert(
    fc.property(anything, (text) => {
      expect(isSafe(visible(text)), JSON.stringify(text)).toBe(true);
      expect(visible(visible(text))).toBe(visible(text));
    }),
  );
});

test('letters, marks and emoji stay as they are', () => {
  for (const text of ['grün', 'नमस्ते', '日本', '👩\u200d💻', 'a b', 'soft\u00adhyphen']) expect(visible(text)).toBe(text);
});

test('escapes are those that people know', () => {
  expect(visible('\x1b]0;x\x07 \x9b31m \u202e\r\n\t\x7f \ud800 \udcff')).toBe('\\x1b]0;x\\x07 \\x9b31m \\u202e\\r\\n\\t\\x7f \\ud800 \\xff');
});

test('JSON means the same, and is safe', () => {
  fc.assert(
    fc.property(fc.dictionary(anything, anything), fc.constantFrom(undefined, 2), (value, indent) => {
      const text = visibleJson(JSON.stringify(value, undefined, indent));
      expect(JSON.parse(text)).toEqual(value);
      expect(isSafe(text.replaceAll('\n', ''))).toBe(true);
    }),
  );
});

test('bytes that are no UTF-8 are told apart, and others are text', () => {
  expect(visibleBytes(Buffer.from('a\xff\xe9', 'latin1'))).toBe('a\\xff\\xe9');
  expect(visibleBytes(Buffer.concat([Buffer.from('ü'), Buffer.from([0x80]), Buffer.from('\u{1f600}\x1b')]))).toBe('ü\\x80\u{1f600}\\x1b');
  fc.assert(
    fc.property(fc.uint8Array(), (content) => {
      expect(isSafe(visibleBytes(Buffer.from(content)))).toBe(true);
      expect(visibleBytes(Buffer.from(content))).not.toMatch(/\ufffd/);
    }),
  );
});
