import { chmodSync, linkSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import { FileMemory } from './file-memory.js';

/** Longer than a file counts as changed just now. */
const SETTLED = 150;

test('a value is made once while nothing changes, and anew after any change of its files', async () => {
  await using at = scratch();
  const [one, two] = [at.join('one'), at.join('two')];
  const memory = new FileMemory<{ readonly text: string }>();
  let made = 0;
  const text = (file: string): string => {
    try {
      return readFileSync(file, 'utf8');
    } catch {
      return 'none';
    }
  };
  const get = (): string =>
    memory.get('key', [one, two], () => {
      made++;
      return { text: `${text(one)} ${text(two)}` };
    }).text;
  const changes: [string, () => void, string][] = [
    ['the first content', () => writeFileSync(one, 'a'), 'a none'],
    ['another content of the same size', () => writeFileSync(one, 'b'), 'b none'],
    ['a file that comes', () => writeFileSync(two, 'c'), 'b c'],
    [
      'other content with the old times',
      () => {
        writeFileSync(one, 'd');
        utimesSync(one, 1, 1);
      },
      'd c',
    ],
    ['a mode', () => chmodSync(one, 0o600), 'd c'],
    ['a size', () => truncateSync(two, 0), 'd '],
    [
      'a file that is renamed over it',
      () => {
        writeFileSync(at.join('next'), 'e');
        renameSync(at.join('next'), two);
      },
      'd e',
    ],
    ['a second name', () => linkSync(two, at.join('other')), 'd e'],
    ['a file that goes', () => rmSync(two), 'd none'],
  ];
  for (const [what, change, expected] of changes) {
    change();
    const before = made;
    expect([what, get()]).toEqual([what, expected]);
    expect([what, made]).toEqual([what, before + 1]);
    await sleep(SETTLED);
    get();
    const settled = made;
    expect([what, get(), get()]).toEqual([what, expected, expected]);
    expect([what, made]).toEqual([what, settled]);
  }
});

test('nothing is kept of what changed just now, of links, and of failures', async () => {
  await using at = scratch();
  const memory = new FileMemory<number>();
  let made = 0;
  const get = (file: string): number => memory.get(file, [file], () => ++made);
  writeFileSync(at.join('fresh'), '');
  expect([get(at.join('fresh')), get(at.join('fresh'))]).toEqual([1, 2]);
  symlinkSync('fresh', at.join('link'));
  await sleep(SETTLED);
  expect([get(at.join('link')), get(at.join('link'))]).toEqual([3, 4]);
  expect([get(at.join('fresh')), get(at.join('fresh'))]).toEqual([5, 5]);
  const failing = (): number => memory.get('failing', [at.join('fresh')], () => (++made < 8 ? Number(JSON.parse('{')) : made));
  expect(failing).toThrow();
  expect(failing).toThrow();
  expect([failing(), failing()]).toEqual([8, 8]);
});

test('the oldest values go first', async () => {
  await using at = scratch();
  const memory = new FileMemory<number>(2);
  let made = 0;
  const get = (key: string): number => memory.get(key, [at.join('none')], () => ++made);
  expect(['a', 'b', 'a', 'c', 'b', 'a'].map(get)).toEqual([1, 2, 1, 3, 2, 4]);
});
