import { lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import { listDirectories } from './copy-up.js';

const list = (root: string, directory: string): string[] =>
  listDirectories(root, directory, 'mounts[1] onto /up').flatMap((each) => each.names.map((name) => path.join(each.path, name)));

/** What is below a directory, by lstat(2): no link is followed. */
function below(directory: string, prefix = ''): string[] {
  return readdirSync(directory)
    .sort()
    .flatMap((name) => {
      const at = path.join(directory, name);
      return [prefix + name, ...(lstatSync(at).isDirectory() ? below(at, `${prefix}${name}/`) : [])];
    });
}

test('a directory is listed with everything in it, and no link is followed', async () => {
  await using at = scratch();
  mkdirSync(at.join('root/up/d/deep/empty'), { recursive: true });
  mkdirSync(at.join('outside'));
  writeFileSync(at.join('outside/secret'), '');
  writeFileSync(at.join('root/up/d/deep/file'), '');
  const up = at.join('root/up');
  for (const [name, target] of [
    ['a', '.'],
    ['b', '.'],
    ['c', '..'],
    ['d/self', '../d'],
    ['d/etc', '/etc'],
    ['d/out', at.join('outside')],
    ['d/up', '../../../outside'],
    ['none', 'nowhere'],
  ] as const)
    symlinkSync(target, path.join(up, name));
  expect(list(at.join('root'), '/up').sort()).toEqual(below(up).sort());
  expect(list(at.join('root'), '/up')).not.toContain('d/out/secret');
});

test('parents come before what is in them, and what is no directory has nothing', async () => {
  await using at = scratch();
  mkdirSync(at.join('root/up/b/c'), { recursive: true });
  writeFileSync(at.join('root/up/b/c/z'), '');
  writeFileSync(at.join('root/up/a'), '');
  symlinkSync('/../../../etc', at.join('root/leaves'));
  expect(list(at.join('root'), '/up')).toEqual(['a', 'b', 'b/c', 'b/c/z']);
  for (const nothing of ['/up/a', '/none', '/leaves', '/up/a/x']) expect(list(at.join('root'), nothing)).toEqual([]);
});

test('a tree that is too large or too deep is refused by name', async () => {
  await using at = scratch();
  mkdirSync(at.join('up/1/2/3/4'), { recursive: true });
  for (let i = 0; i < 50; i++) writeFileSync(at.join(`up/1/file-${i}`), '');
  const listed = (bytes: number, depth: number): unknown => listDirectories(at.path, 'up', 'mounts[1] onto /up', { bytes, depth });
  expect(listed(10_000, 5)).toHaveLength(4);
  expect(() => listed(1_000, 5)).toThrow(/mounts\[1\] onto \/up: cannot copy up of the root .*too many files/);
  expect(() => listed(10_000, 4)).toThrow(/nested too deeply: 1\/2\/3\/4/);
});
