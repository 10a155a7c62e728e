import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountOverlay } from '@lamella/overlay';
import { type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CheckedMount } from '../../model/writable-mount.js';
import { changesIn } from '../changes.js';
import { apply } from './apply.js';
import { readJournal } from './program/journal.js';
import { undo } from './undo.js';

/** Containers with overlays on several directories of the host, `s1`, `s2` and `s3`. */
let at: ScratchDirectory;
let root: string;
const SOURCES = ['s1', 's2', 's3'] as const;
type Name = (typeof SOURCES)[number];

beforeEach(() => {
  at = scratch();
  root = at.join('store');
  mkdirSync(root);
  for (const name of SOURCES) {
    mkdirSync(at.join(name));
    for (const file of ['e', 'f', 'g']) writeFileSync(at.join(`${name}/${file}`), 'original\n');
  }
});
afterEach(() => at[Symbol.asyncDispose]());

const read = (name: Name, file = 'f'): string => readFileSync(at.join(`${name}/${file}`), 'utf8');

/** Applies a container that wrote a file in each of some directories. */
async function applied(id: string, names: readonly Name[], file = 'f', act: (merged: string) => void = (merged) => writeFileSync(merged, id)): Promise<void> {
  await sleep(20);
  const since = new Date();
  const views: CheckedMount[] = [];
  for (const name of names) {
    const [upperdir, workdir, merged] = ['upper', 'work', 'merged'].map((each) => at.join(`${id}-${name}-${each}`)) as [string, string, string];
    for (const each of [upperdir, workdir, merged]) {
      rmSync(each, { recursive: true, force: true });
      mkdirSync(each);
    }
    const source = at.join(name);
    {
      await using mount = await mountOverlay({ lowerdirs: [source], upperdir, workdir, merged });
      act(path.join(mount.path, file));
    }
    views.push({ destination: `/${name}`, upperdir, workdir, frozen: [], lowerdirs: [source], files: false, source, expected: {}, given: undefined });
  }
  await apply({ root, id, since }, changesIn(views, []));
}

/** Every way in which applies of two containers can share directories. */
const subsets = [1, 2, 3, 4, 5, 6, 7].map((bits) => SOURCES.filter((_, i) => bits & (1 << i)));

test.each(subsets.map((names) => [names.join(), names] as const))('an apply to %s leaves the way back of all other directories', async (_, second) => {
  await applied('A', SOURCES);
  await applied('B', second);
  const rest = SOURCES.filter((name) => !second.includes(name));
  const forgotten: string[] = [];
  if (rest.length) expect(await undo(root, 'A', { onForgotten: (source) => void forgotten.push(source) })).toBe(rest.length);
  else await expect(undo(root, 'A')).rejects.toMatchObject({ code: 'UNDO_NOTHING' });
  expect(forgotten).toEqual(rest.length ? second.map((name) => at.join(name)) : []);
  for (const name of SOURCES) expect(read(name)).toBe(second.includes(name) ? 'B' : 'original\n');
  await undo(root, 'B');
  for (const name of SOURCES) expect(read(name)).toBe(second.includes(name) ? 'A' : 'original\n');
});

test('the next apply of the same container leaves the way back of other directories, too', async () => {
  await applied('A', ['s1', 's2']);
  await applied('A', ['s1'], 'g');
  expect([read('s1', 'g'), read('s2')]).toEqual(['A', 'A']);
  await undo(root, 'A');
  expect([read('s1'), read('s1', 'g'), read('s2')]).toEqual(['A', 'original\n', 'original\n']);
});

test('what cannot be given back is named after another apply of the same container, too', async () => {
  await applied('A', ['s1', 's2', 's3']);
  await applied('B', ['s2']);
  await applied('A', ['s1'], 'g');
  const forgotten: string[] = [];
  expect(await undo(root, 'A', { onForgotten: (source) => void forgotten.push(source) })).toBe(2);
  expect(forgotten).toEqual([at.join('s2')]);
  expect([read('s1'), read('s1', 'g'), read('s2'), read('s3')]).toEqual(['A', 'original\n', 'B', 'original\n']);
});

test.each(['A', 'B'])('what an undo moved aside is kept until an apply to the same directory; the next one is of %s', async (next) => {
  await applied('A', ['s1', 's2']);
  for (const name of ['s1', 's2'] as const) writeFileSync(at.join(`${name}/f`), 'later work');
  const kept: { readonly path: string; readonly at: string }[] = [];
  await undo(root, 'A', { force: true, onKept: (each) => void kept.push(each) });
  expect(kept.map((each) => readFileSync(each.at, 'utf8'))).toEqual(['later work', 'later work']);
  await applied(next, ['s2'], 'g');
  expect(kept.map((each) => existsSync(each.at))).toEqual([true, false]);
  await applied(next, ['s1'], 'g');
  expect(kept.map((each) => existsSync(each.at))).toEqual([false, false]);
  expect((await readJournal(root, 'A'))?.kept).toEqual([]);
});
