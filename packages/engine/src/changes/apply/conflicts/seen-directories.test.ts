import { mkdirSync, writeFileSync } from 'node:fs';
import { scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import { writtenIn } from './seen-directories.js';

test('only directories that the host has are looked at, and nothing below a new one', async () => {
  await using at = scratch();
  const make = (...names: string[]): void => names.forEach((name) => void mkdirSync(at.join(name), { recursive: true }));
  make('host/a/b', 'host/other', 'upper/a/b/new/below', 'upper/a/new', 'upper/file');
  writeFileSync(at.join('host/file'), '');
  writeFileSync(at.join('upper/a/b/made'), '');
  for (const top of ['host', 'upper']) mkdirSync(Buffer.concat([Buffer.from(at.join(`${top}/a/`)), Buffer.of(0xff)]));
  expect(writtenIn(at.join('upper'), at.join('host')).toSorted()).toEqual(['a', 'a/b', 'a/\xff']);
  expect(writtenIn(at.join('none'), at.join('host'))).toEqual([]);
});
