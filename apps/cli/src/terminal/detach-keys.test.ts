import { expect, test } from 'vitest';
import { detachScanner, parseDetachKeys } from './detach-keys.js';

test.each([
  ['ctrl-p,ctrl-q', '\u0010\u0011'],
  ['ctrl-P', '\u0010'],
  ['a,ctrl-@', 'a\u0000'],
  ['ctrl-[', '\u001b'],
  ['ctrl-_', '\u001f'],
  ['', ''],
])('%s', (text, keys) => {
  expect(parseDetachKeys(text)).toBe(keys);
});

test.each(['ctrl-', 'ctrl-1', 'ab', 'a,', 'é'])("'%s' is refused", (text) => {
  expect(() => parseDetachKeys(text)).toThrow('invalid detach key');
});

/** What passes of bytes that are typed one chunk after the other, and whether they detach. */
function typed(keys: string, ...chunks: string[]): [string, boolean] {
  const scan = detachScanner(keys);
  const seen = chunks.map((chunk) => scan(Buffer.from(chunk, 'latin1')));
  return [seen.map(({ pass }) => pass.toString('latin1')).join(''), seen.some(({ detach }) => detach)];
}

test('the keys are found across chunks, and are not passed on', () => {
  expect(typed('\u0010\u0011', 'ab\u0010\u0011')).toEqual(['ab', true]);
  expect(typed('\u0010\u0011', 'a\u0010', '\u0011')).toEqual(['a', true]);
});

test('a partial match is held back until the next byte decides', () => {
  expect(typed('\u0010\u0011', 'a\u0010')).toEqual(['a', false]);
  expect(typed('\u0010\u0011', 'a\u0010', 'b')).toEqual(['a\u0010b', false]);
  expect(typed('\u0010\u0011', '\u0010\u0010\u0011')).toEqual(['\u0010', true]);
});

test('without keys everything passes', () => {
  expect(typed('', '\u0010\u0011')).toEqual(['\u0010\u0011', false]);
});
