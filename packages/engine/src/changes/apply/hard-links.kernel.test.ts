import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountOverlay } from '@lamella/overlay';
import { requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { describeTree } from '@lamella-test/tree';
import { beforeEach, expect, test } from 'vitest';
import type { CheckedMount } from '../../model/writable-mount.js';
import { changesIn } from '../changes.js';
import { type Applied, type ApplyOptions, apply } from './apply.js';
import { undo } from './undo.js';

beforeEach((context) => requiresRoot(context));

/** What a script does to linked files in a container, and natively on a copy of them. */
interface Linked {
  readonly root: string;
  host(name: string): string;
  /** Does something inside, and natively on the copy. */
  both(script: string): Promise<void>;
  apply(options?: ApplyOptions): Promise<Applied>;
  /** Names, contents and permissions, and which names are one file. */
  now(): unknown;
  natively(): unknown;
}

const BEFORE = 'mkdir d; echo one > a; ln a b; ln a d/c; echo alone > e; echo two > x; ln x y';

async function linked(at: ScratchDirectory): Promise<Linked> {
  const [top = '', copy = '', root = '', upperdir = '', workdir = '', merged = ''] = ['project', 'copy', 'store', 'upper', 'work', 'merged'].map((name) =>
    at.join(name),
  );
  for (const each of [top, copy, root, upperdir, workdir, merged]) mkdirSync(each);
  const sh = (directory: string, script: string): void => void execFileSync('sh', ['-ec', script], { cwd: directory });
  for (const each of [top, copy]) sh(each, BEFORE);
  const view: CheckedMount = { destination: '/p', upperdir, workdir, frozen: [], lowerdirs: [top], files: false, source: top, expected: {}, given: undefined };
  await sleep(15);
  const since = new Date();
  await sleep(15);
  return {
    root,
    host: (name) => path.join(top, name),
    async both(script) {
      sh(copy, script);
      await using mount = await mountOverlay({ lowerdirs: [top], upperdir, workdir, merged });
      sh(mount.path, script);
    },
    apply: (options = {}) => apply({ root, id: 'c1', since }, changesIn([view], []), options),
    now: () => groups(top),
    natively: () => groups(copy),
  };
}

function groups(directory: string): unknown {
  const files = execFileSync('sh', ['-c', 'find . -type f -printf "%i %m %P\\n" | sort -k3'], { cwd: directory, encoding: 'utf8' })
    .trim()
    .split('\n')
    .filter(Boolean);
  const byInode = new Map<string, string[]>();
  for (const line of files) {
    const [inode = '', mode = '', name = ''] = line.split(' ');
    byInode.set(inode, [...(byInode.get(inode) ?? []), `${name} ${mode} ${readFileSync(path.join(directory, name), 'utf8').trim()}`]);
  }
  return [...byInode.values()].toSorted();
}

/** Scripts after which the host has what it would have had without a container: all names of a file are among the changes, or none. */
const LIKE_NATIVE = {
  'both names removed': 'rm x y',
  'one name removed': 'rm x',
  'all names and a directory removed': 'rm -r a b d',
  'a new name of a file': 'ln e f',
  'a new name of a linked file': 'ln x z',
  'a new name in a new directory': 'mkdir n; ln e n/f; echo in > n/g',
  'a new name in the place of another file': 'ln -f x e',
  'a new name in a new directory that has the place of another name': 'rm x; mkdir x; ln y x/a; mkdir -p x/b; ln y x/b/c',
  'a new name in a new directory that has the place of another file': 'rm e; mkdir e; ln x e/a; chmod 700 e',
  'new files that are linked': 'echo new > n1; ln n1 n2; mkdir n; ln n1 n/n3',
  'all names changed to the same': 'chmod 600 x y',
  'all names written by a package manager': 'echo three > x.new; ln x.new y.new; ln x x.tmp; mv x.new x; ln y y.tmp; mv y.new y; rm x.tmp y.tmp',
  'all names written with the same': 'echo three > x; echo three > y',
  'all names renamed': 'mv x v; mv y w',
  'one renamed, the other removed': 'mv x v; rm y',
  'all names removed and made anew': 'rm x y; echo three > x; ln x y',
} as const;

test.each(Object.entries(LIKE_NATIVE))('%s: links are what they are without a container', async (_, script) => {
  await using at = scratch();
  const one = await linked(at);
  const before = one.now();
  await one.both(script);
  await one.apply();
  expect(one.now()).toEqual(one.natively());
  await undo(one.root, 'c1');
  expect(one.now()).toEqual(before);
  // An apply that was undone is not a change of the host, and removing what an undo kept is not one either.
  for (let i = 0; i < 2; i++) {
    expect((await one.apply()).conflicts).toEqual([]);
    if (i === 0) await undo(one.root, 'c1');
  }
  expect(one.now()).toEqual(one.natively());
});

test('a file of which only some names were changed is told of, and becomes another', async () => {
  await using at = scratch();
  const one = await linked(at);
  await one.both('chmod 600 a');
  const { changes } = await one.apply();
  expect(changes.map(({ path: name, aspects, before, after }) => [name, aspects, before?.links, after?.links])).toEqual([
    ['/p/a', ['mode', 'links'], 3, undefined],
  ]);
  expect([statSync(one.host('a')).mode & 0o777, statSync(one.host('b')).mode & 0o777]).toEqual([0o600, 0o644]);
  expect(statSync(one.host('b')).ino).toBe(statSync(one.host('d/c')).ino);
});

test('of linked names none is changed where one is left', async () => {
  await using at = scratch();
  const one = await linked(at);
  await one.both('mv e f; chmod 600 x y; echo new > n');
  writeFileSync(one.host('f'), 'the host’s');
  writeFileSync(one.host('x'), 'the host’s');
  const before = new Map([...(await describeTree(one.host('')))].map(([name, object]) => [name, { ...object, mtime: 0 }]));
  const { changes, left } = await one.apply({ onConflict: 'theirs' });
  expect(changes.map(({ name }) => name)).toEqual(['n']);
  expect(left.map(({ name }) => name).toSorted()).toEqual(['e', 'f', 'x', 'y']);
  expect(existsSync(one.host('n'))).toBe(true);
  const after = new Map([...(await describeTree(one.host('')))].map(([name, object]) => [name, { ...object, mtime: 0 }]));
  for (const [name, object] of before) if (name !== '') expect(after.get(name)).toEqual(object);
});

test('what the host does to a file through another name is a conflict', async () => {
  await using at = scratch();
  const one = await linked(at);
  await one.both('rm x');
  writeFileSync(one.host('y'), 'later');
  await expect(one.apply()).rejects.toMatchObject({ code: 'APPLY_CONFLICT', message: expect.stringContaining('/p/x') });
});
