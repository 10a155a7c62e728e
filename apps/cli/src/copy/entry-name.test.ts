import { expect, test } from 'vitest';
import { assertsDirectory, entryName, placeCopy } from './entry-name.js';

test.each([
  ['/a/b', 'b'],
  ['/a/b/', 'b'],
  ['/a/b/.', '.'],
  ['.', '.'],
  ['/', '.'],
  ['a/../b', 'b'],
])('the copy of %s is called %s', (pathname, name) => {
  expect(entryName(pathname)).toBe(name);
});

test.each([
  ['/a/', true],
  ['/a/.', true],
  ['.', true],
  ['/a', false],
  ['/a.', false],
])('%s requires a directory: %s', (pathname, is) => {
  expect(assertsDirectory(pathname)).toBe(is);
});

// The rules of docker-cp(1).
test.each([
  ['file', false, '/d', 'directory', { directory: '/d', name: 'file' }],
  ['file', false, '/d/new', 'nothing', { directory: '/d', name: 'new' }],
  ['file', false, '/d/old', 'other', { directory: '/d', name: 'old' }],
  ['file', false, '/d/new/', 'nothing', 'not-a-directory'],
  ['dir', true, '/d', 'directory', { directory: '/d', name: 'dir' }],
  ['dir', true, '/d/new', 'nothing', { directory: '/d', name: 'new' }],
  ['dir', true, '/d/new/', 'nothing', { directory: '/d', name: 'new' }],
  ['dir', true, '/d/old', 'other', 'not-a-directory'],
  ['.', true, '/d', 'directory', { directory: '/d', name: '.' }],
  ['file', false, '/new', 'nothing', { directory: '/', name: 'new' }],
] as const)('%s (directory: %s) to %s, which is %s', (source, isDirectory, pathname, state, place) => {
  expect(placeCopy(source, isDirectory, { pathname, state })).toEqual(place);
});
