import { expect, test } from 'vitest';
import { isSealedText, sealText } from './sealed-text.js';

const TEXT = JSON.stringify({ version: 1, synced: true, name: 'a' });

test('a seal matches the text that was sealed, and no text that changed since', () => {
  const sealed = sealText(TEXT);
  expect([isSealedText(sealed), isSealedText(`${sealed}\n`)]).toEqual([true, true]);
  expect(isSealedText(sealed.replace('true', 'null'))).toBe(false);
  expect(isSealedText(sealed.replace('"sum"', '"sun"'))).toBe(false);
  expect(isSealedText(sealed.replace(/.(?="\}$)/, 'x'))).toBe(false);
});

test('a text without a seal has none', () => {
  expect([isSealedText(TEXT), isSealedText(`${TEXT}\n`), isSealedText('{}')]).toEqual([undefined, undefined, undefined]);
});
