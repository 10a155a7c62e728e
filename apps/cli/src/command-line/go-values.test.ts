import { expect, test } from 'vitest';
import { parseBool, parseCpus, parseDuration, parseInteger, parseSize } from './go-values.js';

const rows = (parse: (text: string) => unknown, cases: Readonly<Record<string, unknown>>): void => {
  expect(Object.fromEntries(Object.keys(cases).map((text) => [text, parse(text)]))).toEqual(cases);
};

test('booleans as strconv.ParseBool', () =>
  rows(parseBool, { 1: true, t: true, TRUE: true, True: true, 0: false, F: false, false: false, yes: undefined, tRUE: undefined, '': undefined }));

test('integers as strconv.ParseInt of base 0', () =>
  rows(parseInteger, {
    0: 0,
    '-0': 0,
    10: 10,
    '+10': 10,
    '-1': -1,
    '0x1f': 31,
    '0o17': 15,
    '017': 15,
    '0b11': 3,
    '1_000': 1000,
    '': undefined,
    '1.5': undefined,
    '08': undefined,
    '1e3': undefined,
    ' 1': undefined,
    _1: undefined,
    '99999999999999999999': undefined,
  }));

test('sizes as units.RAMInBytes', () =>
  rows(parseSize, {
    0: 0,
    1: 1,
    '1b': 1,
    '1B': 1,
    '512m': 512 << 20,
    '1g': 2 ** 30,
    '1G': 2 ** 30,
    '1gb': 2 ** 30,
    '1GiB': 2 ** 30,
    '1.5k': 1536,
    '.5k': 512,
    '1 k': 1024,
    '1e3': 1000,
    '1p': 2 ** 50,
    '1.': 1,
    '': undefined,
    k: undefined,
    '-1': undefined,
    '1x': undefined,
    '1kk': undefined,
    '1bi': undefined,
    '1 kib ': undefined,
    '1  k': undefined,
    '0x10': undefined,
  }));

test('processors as big.Rat', () =>
  rows(parseCpus, {
    '.5': 0.5,
    '1.': 1,
    2: 2,
    '1e-1': 0.1,
    '3/4': 0.75,
    '0': 0,
    '-1': -1,
    '0.000000001': 1e-9,
    '': undefined,
    '.': undefined,
    x: undefined,
    '1/': undefined,
    '1/2/3': undefined,
    '0.0000000001': undefined,
    '1/0': undefined,
  }));

test('durations as time.ParseDuration', () =>
  rows(parseDuration, {
    '1h30m': 5_400_000,
    '1.5s': 1500,
    '.5s': 500,
    '-10ms': -10,
    '0': 0,
    '10us': 0.01,
    '': undefined,
    5: undefined,
    '1d': undefined,
    s: undefined,
  }));
