import { expect, test } from 'vitest';
import type { ContainerChange } from '../../changes.js';
import { change } from '../inspect/change.test.cases.js';
import { chosenOf, leftWith } from './choose-changes.js';

const names = (changes: Iterable<ContainerChange>): string[] => [...changes].map(({ name }) => name).sort();

test('with what is chosen come the new directories above it', () => {
  const changes = [change('new', undefined, 'directory'), change('new/a', undefined, 'file'), change('new/b', undefined, 'file')];
  expect(names(chosenOf(changes, ({ name }) => name === 'new/b'))).toEqual(['new', 'new/b']);
  expect(names(chosenOf(changes, undefined))).toEqual(['new', 'new/a', 'new/b']);
});

test('with a directory that is removed goes all that is in it', () => {
  const changes = [change('old', 'directory', undefined), change('old/a', 'file', undefined), change('other', 'file', undefined)];
  expect(names(chosenOf(changes, ({ name }) => name === 'old'))).toEqual(['old', 'old/a']);
});

test('a new directory that is left out leaves out what is in it', () => {
  const [directory, file] = [change('new', undefined, 'directory'), change('new/a', undefined, 'file')];
  expect(names(leftWith([directory], [directory, file, change('other', undefined, 'file')]))).toEqual(['new', 'new/a']);
  expect(names(leftWith([file], [directory, file]))).toEqual(['new/a']);
});

test('a file that stays keeps the removed directory around it, and the other removed files go', () => {
  const [directory, stays, goes] = [change('old', 'directory', undefined), change('old/a', 'file', undefined), change('old/b', 'file', undefined)];
  expect(names(leftWith([stays], [directory, stays, goes]))).toEqual(['old', 'old/a']);
});

test('files that only make room for another object stay when that is left out', () => {
  const [object, file] = [change('old', 'directory', 'file'), change('old/a', 'file', undefined)];
  expect(names(leftWith([object], [object, file]))).toEqual(['old', 'old/a']);
});

test('names of one file of the host are left out together', () => {
  const host = { inode: '1:7', links: 2 };
  const [a, b] = [change('a', 'file', undefined, {}, host), change('b', 'file', undefined, {}, host)];
  expect(names(leftWith([a], [a, b]))).toEqual(['a', 'b']);
});
