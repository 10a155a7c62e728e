import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { ImageStore } from '@lamella/image';
import { mountOverlay } from '@lamella/overlay';
import { requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { describeTree, type Member, ociLayout, tarArchive } from '@lamella-test/tree';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const OPAQUE = '.wh..wh..opq';
/** What a tree has: `directory`, or the digest of a file's content. */
type Tree = Map<string, string>;

const isBelow = (name: string, directory: string): boolean => directory === '.' || name.startsWith(`${directory}/`);
const parentsOf = (name: string): string[] => {
  const parents: string[] = [];
  for (let parent = path.posix.dirname(name); parent !== '.'; parent = path.posix.dirname(parent)) parents.unshift(parent);
  return parents;
};

/**
 * The specification, as a program (OCI image-spec, layer.md): marks hide what the layers below have, whatever their place in
 * the archive; then the entries are added. A directory that only marks need is made where there is nothing, as by Docker
 * and containerd, and takes the place of nothing.
 */
function applied(below: Tree, layer: readonly Member[]): Tree {
  const tree = new Map(below);
  const remove = (top: string, itself: boolean): void => {
    for (const name of tree.keys()) if (isBelow(name, top) || (itself && name === top)) tree.delete(name);
  };
  const marks = layer.filter(({ name }) => path.posix.basename(name).startsWith('.wh.'));
  const entries = layer.filter((each) => !marks.includes(each) && !each.name.startsWith('.wh..wh.'));
  for (const { name } of marks) {
    const [parent, base] = [path.posix.dirname(name), path.posix.basename(name)];
    if (base === OPAQUE) remove(parent, false);
    else if (!base.startsWith('.wh..wh.')) remove(path.posix.join(parent, base.slice(4)), true);
  }
  const put = (name: string, what: string): void => {
    for (const parent of parentsOf(name)) if (tree.get(parent) !== 'directory') tree.set(parent, 'directory');
    if (what !== 'directory') remove(name, true);
    tree.set(name, what);
  };
  for (const { name, type, data } of entries) put(name, type === '5' ? 'directory' : createHash('sha256').update(String(data)).digest('hex'));
  for (const { name } of marks) {
    if (path.posix.basename(name).startsWith('.wh..wh.') && path.posix.basename(name) !== OPAQUE) continue;
    for (const parent of parentsOf(name)) {
      if (tree.has(parent) && tree.get(parent) !== 'directory') break;
      tree.set(parent, 'directory');
    }
  }
  return tree;
}

async function shownBy(at: ScratchDirectory, layers: readonly (readonly Member[])[]): Promise<Tree> {
  ociLayout(
    at.join('layout'),
    layers.map((members) => tarArchive(members)),
    { name: 'image' },
  );
  const store = new ImageStore(at.join('store'));
  await store.load(at.join('layout'), { name: 'image' });
  // It is found as it was made.
  for (const image of [await store.resolve('image'), await store.resolve('image')]) expect(image.layers.length).toBeGreaterThan(0);
  const { layers: stack } = await store.resolve('image');
  for (const directory of ['merged', 'empty', 'other']) mkdirSync(at.join(directory), { recursive: true });
  await using mounted = await mountOverlay({ lowerdirs: [...stack.map((layer) => layer.path), at.join('empty'), at.join('other')], merged: at.join('merged') });
  const found = await describeTree(mounted.path);
  found.delete('.');
  return new Map([...found].map(([name, { type, content }]) => [name, type === 'file' ? content : type]));
}

const name = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const mark = name.map((each): Member => ({ name: path.posix.join(path.posix.dirname(each), `.wh.${path.posix.basename(each)}`) }));
const opaque = fc.oneof(
  { weight: 3, arbitrary: name.map((each): Member => ({ name: `${each}/${OPAQUE}` })) },
  { weight: 1, arbitrary: fc.constant<Member>({ name: OPAQUE }) },
);
const entry = fc.oneof(
  fc.record({ name, data: fc.constantFrom('x', 'y', 'z') }),
  name.map((each): Member => ({ name: each, type: '5' })),
);
const odd = fc.constantFrom<Member>(
  { name: '.wh..wh.plnk/1.2', data: 'book' },
  { name: '.wh..wh.aufs' },
  { name: '.wh..wh.orph/', type: '5' },
  { name: 'a/.wh..wh.x' },
);
/** A layer that a tool could make: nothing lies below its own files, and each name is one thing. */
const layer = fc
  .array(fc.oneof({ weight: 4, arbitrary: entry }, { weight: 4, arbitrary: mark }, { weight: 1, arbitrary: opaque }, { weight: 1, arbitrary: odd }), {
    maxLength: 7,
  })
  .map((members) => {
    const kept: Member[] = [];
    const clash = (one: Member, other: Member): boolean =>
      one.name === other.name || (one.data !== undefined && isBelow(other.name, one.name)) || (other.data !== undefined && isBelow(one.name, other.name));
    for (const each of members) if (!kept.some((other) => clash(each, other))) kept.push(each);
    return kept;
  });

/** By content alone: what a model can tell. */
async function compare(layers: readonly (readonly Member[])[]): Promise<void> {
  await using at = scratch('tmpfs');
  const shown = await shownBy(at, layers);
  const expected = layers.reduce<Tree>(applied, new Map());
  expect([...shown].toSorted()).toEqual([...expected].toSorted());
}

test('stacks of random layers with marks of every shape look as the specification says', { timeout: 3_600_000 }, async (context) => {
  requiresRoot(context);
  await fc.assert(fc.asyncProperty(fc.array(layer, { minLength: 2, maxLength: 4 }), compare), {
    numRuns: process.env.LAMELLA_LONG ? 1000 : 20,
    seed: Number(process.env.LAMELLA_SEED ?? 20261127),
  });
});

describe('one case of each', () => {
  const file = (each: string, data = 'x'): Member => ({ name: each, data });
  test.for<[string, Member[][]]>([
    ['an opaque mark at the top', [[file('a/b'), file('c')], [{ name: OPAQUE }, file('c', 'y')], [file('d')]]],
    ['an opaque mark at the top of the only layer', [[{ name: OPAQUE }, file('c')]]],
    ['an opaque mark at the top, and entries that lean on what it hides', [[file('a')], [{ name: OPAQUE }, { name: 'a/.wh.b' }]]],
    ['a whiteout below a file', [[file('a')], [{ name: 'a/.wh.b' }]]],
    ['a whiteout far below a file', [[file('a')], [{ name: 'a/b/c/.wh.d' }, file('b')]]],
    ['an opaque mark on a file', [[file('a')], [{ name: `a/${OPAQUE}` }]]],
    ['a whiteout below a file that is below', [[file('d/a')], [{ name: 'd/a/.wh.b' }], [file('d/e')]]],
    ['a whiteout below a file that two layers give', [[file('a')], [file('a', 'y')], [{ name: 'a/.wh.b' }], [{ name: 'a/.wh.c' }]]],
    ['a whiteout below the own file, before it', [[file('a/b')], [{ name: 'a/.wh.b' }, file('a')]]],
    ['a whiteout below the own file, after it', [[file('a/b')], [file('a'), { name: 'a/.wh.b' }]]],
    ['a file and its whiteout', [[file('a')], [file('a', 'y'), { name: '.wh.a' }]]],
    ['a whiteout and its file', [[file('a')], [{ name: '.wh.a' }, file('a', 'y')]]],
    ['a directory and its whiteout', [[file('a/b')], [{ name: 'a', type: '5' }, { name: '.wh.a' }]]],
    ['a whiteout and its directory', [[file('a/b')], [{ name: '.wh.a' }, file('a/c')]]],
    ['whiteouts of nothing', [[file('a')], [{ name: '.wh.b' }, { name: 'c/.wh.d' }]]],
    ['the books of aufs', [[file('a')], [{ name: '.wh..wh.plnk/1.2', data: 'y' }, { name: '.wh..wh.aufs' }, { name: '.wh..wh.orph/', type: '5' }, file('b')]]],
    [
      'a whiteout that is a hard link, as aufs writes them',
      [
        [file('a'), file('b')],
        [{ name: '.wh.a' }, { name: '.wh.b', type: '1', linkname: '.wh.a' }],
      ],
    ],
  ])('%s', async ([, layers], context) => {
    requiresRoot(context);
    await compare(layers);
  });

  test.for<[string, Member[][], string[]]>([
    ['a link to a file', [[file('f'), { name: 'a', type: '2', linkname: 'f' }], [{ name: 'a/.wh.b' }]], ['a', 'f']],
    ['a link to nothing', [[{ name: 'a', type: '2', linkname: 'nowhere' }], [{ name: 'a/.wh.b' }, { name: 'a/c/.wh.d' }]], ['a']],
    ['a link to a directory', [[file('d/b'), file('d/c'), { name: 'a', type: '2', linkname: 'd' }], [{ name: 'a/.wh.b' }]], ['a', 'd', 'd/c']],
    ['an opaque mark on a link to a directory', [[file('d/b'), { name: 'a', type: '2', linkname: 'd' }], [{ name: `a/${OPAQUE}` }]], ['a', 'd', 'd/b']],
    ['a whiteout of a link', [[file('d/b'), { name: 'a', type: '2', linkname: '/d' }], [{ name: '.wh.a' }]], ['d', 'd/b']],
  ])('%s below a whiteout is what Docker makes of it', async ([, layers, expected], context) => {
    requiresRoot(context);
    await using at = scratch('tmpfs');
    expect([...(await shownBy(at, layers)).keys()].toSorted()).toEqual(expected);
  });

  test('a hard link to what aufs kept in its books is a file', async (context) => {
    requiresRoot(context);
    await using at = scratch('tmpfs');
    const shown = await shownBy(at, [
      [
        { name: '.wh..wh.plnk/1.2', data: 'kept' },
        { name: 'd/a', type: '1', linkname: '.wh..wh.plnk/1.2' },
      ],
    ]);
    expect([...shown.keys()].toSorted()).toEqual(['d', 'd/a']);
  });

  test.for(['.wh.', '.wh..', '.wh...', 'd/.wh.', 'd/.wh..', './d/.wh...'])('%s hides no name, and is refused', async (given) => {
    await using at = scratch();
    ociLayout(at.join('layout'), [tarArchive([{ name: given }])]);
    await expect(new ImageStore(at.join('store')).load(at.join('layout'), { name: 'x' })).rejects.toMatchObject({
      code: 'LAYER_PATH_INVALID',
      message: expect.stringContaining(given),
    });
  });
});
