import { expect, test } from 'vitest';
import { errnoName, errnoNumber } from './errno.js';

test('a number has the name of the man pages, also where Node does not list it', () => {
  expect([2, 11, 87, 95].map(errnoName)).toEqual(['ENOENT', 'EAGAIN', 'EUSERS', 'EOPNOTSUPP']);
  expect(errnoNumber('EUSERS')).toBe(87);
});

test('a number without a name stays a number', () => {
  expect(errnoName(524)).toBe('errno 524');
  expect(() => errnoNumber('ENOTHING')).toThrow(/there is no errno 'ENOTHING'/);
});
