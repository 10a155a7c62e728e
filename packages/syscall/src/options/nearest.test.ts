import { expect, test } from 'vitest';
import { nearestName } from './nearest.js';

const KNOWN = ['memory', 'maxBuffer', 'name', 'network', 'timeout'];

test.for<[typed: string, name: string | undefined]>([
  ['memroy', 'memory'],
  ['Memory', 'memory'],
  ['nmae', 'name'],
  ['nam', 'name'],
  ['netwrk', 'network'],
  // The beginning of one name only.
  ['max', 'maxBuffer'],
  ['time', 'timeout'],
  // The word is too short, or too far from every name.
  ['n', undefined],
  ['ne', undefined],
  ['colour', undefined],
  ['tame', 'name'],
])('%s: %s', ([typed, name]) => expect(nearestName(typed, KNOWN)).toBe(name));

test('a short word allows one slip, a long word three', () => {
  expect(nearestName('nxxe', KNOWN)).toBeUndefined();
  expect(nearestName('maximumBuffer', ['maxBufferSize'])).toBeUndefined();
  expect(nearestName('maxBufferSzei', ['maxBufferSize'])).toBe('maxBufferSize');
});

test('the beginning of two names suggests neither', () => expect(nearestName('maxi', ['maximum', 'maxilla'])).toBeUndefined());
