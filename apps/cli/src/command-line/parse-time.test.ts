import { expect, test } from 'vitest';
import { parseSeconds } from './parse-seconds.js';
import { parseTime } from './parse-time.js';

const NOW = Date.UTC(2026, 0, 10, 12);

test.each([
  ['2026-01-02T15:04:05Z', '2026-01-02T15:04:05.000Z'],
  ['2026-01-02T15:04:05.5Z', '2026-01-02T15:04:05.500Z'],
  ['2026-01-02T15:04Z', '2026-01-02T15:04:00.000Z'],
  ['2026-01-02Z', '2026-01-02T00:00:00.000Z'],
  ['2026-01-02T15:04:05+02:00', '2026-01-02T13:04:05.000Z'],
  ['1767366245', '2026-01-02T15:04:05.000Z'],
  ['1767366245.25', '2026-01-02T15:04:05.250Z'],
  ['0s', '2026-01-10T12:00:00.000Z'],
  ['10m', '2026-01-10T11:50:00.000Z'],
  ['1h30m', '2026-01-10T10:30:00.000Z'],
  ['2d', '2026-01-08T12:00:00.000Z'],
  ['1d12h', '2026-01-09T00:00:00.000Z'],
])('%s', (text, iso) => {
  expect(parseTime(text, NOW).toISOString()).toBe(iso);
});

test('a time without a zone is local', () => {
  expect(parseTime('2026-01-02T15:04:05', NOW)).toEqual(new Date(2026, 0, 2, 15, 4, 5));
  expect(parseTime('2026-01-02', NOW)).toEqual(new Date(2026, 0, 2));
});

test.each(['', 'yesterday', '10', '10 m', '2026-13-01T00:00:00Z', '2026-01-02T25:00Z', '1x', 'd'].filter((each) => each !== '10'))(
  "'%s' is refused",
  (text) => {
    expect(() => parseTime(text, NOW)).toThrow(`invalid time '${text}'`);
  },
);

test('seconds are a number, -1 included', () => {
  expect([parseSeconds(undefined), parseSeconds('10'), parseSeconds('-1')]).toEqual([undefined, 10, -1]);
  expect(() => parseSeconds('10s')).toThrow("invalid value '10s' for --time");
});
