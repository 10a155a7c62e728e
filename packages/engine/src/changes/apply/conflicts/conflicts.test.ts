import { expect, test } from 'vitest';
import type { ContainerChange } from '../../changes.js';
import { change, walked } from '../inspect/change.test.cases.js';
import { KnownObjects } from '../inspect/known-objects.js';
import type { Place } from '../inspect/parent-directories.js';
import { judge } from './conflicts.js';

/** When the container began: the objects of the host are older by default. */
const SINCE = new Date(1000 * 1000);
const LATER = { ctimeSeconds: 2000, mtimeSeconds: 2000 };

function conflicts(changes: readonly ContainerChange[], places: Readonly<Record<string, Place>> = {}): string[] {
  const evidence = { changes, places: new Map(Object.entries(places)), since: SINCE, known: new KnownObjects([], '/host') };
  return judge(evidence).conflicts.map(({ name }) => name);
}

test('a file that the host has not changed since is no conflict', () => {
  expect(conflicts([change('a', 'file', 'file'), change('b', 'file', undefined)])).toEqual([]);
});

test('a file that the host changed since is one, whatever the container did', () => {
  expect(conflicts([change('a', 'file', 'file', {}, LATER), change('b', 'file', undefined, {}, LATER)])).toEqual(['a', 'b']);
});

test('a file whose time of change was at the start is in doubt, and so a conflict', () => {
  expect(conflicts([change('a', 'file', undefined, {}, { ctimeSeconds: 1000 })])).toEqual(['a']);
});

test('a new file is one only where it is a copy of what the host has removed', () => {
  const copy = { xattrs: [['trusted.overlay.origin', Buffer.alloc(0)] as const] };
  const top = (mtimeSeconds: number): Record<string, Place> => ({
    '': { lower: walked('', 'directory', { mtimeSeconds }), upper: walked('', 'directory', copy) },
  });
  expect(conflicts([change('new', undefined, 'file')], top(2000))).toEqual([]);
  expect(conflicts([change('copied', undefined, 'file', copy)], top(2000))).toEqual(['copied']);
  // The names of the directory are older than the container: the file was not removed since.
  expect(conflicts([change('copied', undefined, 'file', copy)], top(1))).toEqual([]);
});
