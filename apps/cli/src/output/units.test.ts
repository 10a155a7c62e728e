import { expect, test } from 'vitest';
import { ago, bytes, duration } from './units.js';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [1234, '1.2 kB'],
  [99_950, '100.0 kB'],
  [123_456, '123 kB'],
  [4_200_000, '4.2 MB'],
  [1e9, '1.0 GB'],
  [5e15, '5000 TB'],
])('%i bytes are %s', (size, text) => {
  expect(bytes(size)).toBe(text);
});

test.each([
  [0, 'less than a second'],
  [999, 'less than a second'],
  [1000, '1 second'],
  [59_999, '59 seconds'],
  [60_000, '1 minute'],
  [3_600_000 * 5, '5 hours'],
  [86_400_000, '1 day'],
  [86_400_000 * 45, '1 month'],
  [86_400_000 * 800, '2 years'],
  [-5, 'less than a second'],
])('%i milliseconds are %s', (milliseconds, text) => {
  expect(duration(milliseconds)).toBe(text);
});

test('a time is so long ago', () => {
  const now = new Date(100_000);
  expect(ago(new Date(99_500), now)).toBe('just now');
  expect(ago(new Date(40_000), now)).toBe('1 minute ago');
});
