import { describe, expect, test } from 'vitest';
import type { TarEntry } from '../tar/entry.js';
import { LayerTree } from './layer-tree.js';

const listed = (mode = 0o755): TarEntry => ({ mode, uid: 0, gid: 0, mtimeSeconds: 1, mtimeNanoseconds: 0, xattrs: undefined }) as TarEntry;
const hidden = (tree: LayerTree): string[] => [...tree.hiddenNames()].map(({ path }) => path);

describe('the tree of a layer', () => {
  test('implies the directories above an entry, the topmost first and once', () => {
    const tree = new LayerTree();
    expect(tree.missingParents('a/b/c')).toEqual(['a', 'a/b']);
    expect(tree.missingParents('a/b/d')).toEqual([]);
    expect(tree.missingParents('a/x/y/z')).toEqual(['a/x', 'a/x/y']);
    expect(tree.implied).toEqual(['a', 'a/b', 'a/x', 'a/x/y']);
  });

  test('creates a listed directory once, and sets the mode of one that existed', () => {
    const tree = new LayerTree();
    tree.missingParents('a/b');
    expect(tree.directory('a', listed(0o700))).toBe(true);
    expect(tree.directory('a', listed(0o711))).toBe(false);
    expect(tree.directory('', listed())).toBe(false);
    expect(tree.implied).toEqual([]);
    expect([...tree.directories].map(([path, { mode, again }]) => [path, mode, again])).toEqual([
      ['a', 0o711, true],
      ['', 0o755, true],
    ]);
  });

  test('forgets a directory, and what is in it, when something replaces it', () => {
    const tree = new LayerTree();
    tree.directory('a', listed());
    tree.directory('a/b', listed());
    tree.directory('ab', listed());
    tree.opaque('a/b');
    tree.replace('a');
    expect([...tree.directories].map(([path]) => path)).toEqual(['ab']);
    expect(tree.opaques).toEqual([]);
    // Its parents may be gone with it.
    expect(tree.missingParents('a/b/c')).toEqual(['a', 'a/b']);
  });

  test('hides names of the layers below, and makes a directory opaque that the layer has itself', () => {
    const tree = new LayerTree();
    tree.whiteout('gone');
    tree.whiteout('d/gone');
    tree.whiteout('new');
    tree.directory('new', listed());
    expect(hidden(tree)).toEqual(['gone', 'd/gone']);
    expect([tree.opaques, tree.replaced, tree.whiteoutDirectories]).toEqual([['new'], ['new'], ['d']]);
    expect([...tree.markedDirectories()]).toEqual(['new']);
  });

  test('needs no mark for an opaque top, nor for what it has from the layers below', () => {
    const tree = new LayerTree({ directories: ['d'], others: ['seed'] } as never);
    tree.opaque('');
    tree.opaque('seed');
    tree.opaque('d');
    expect(hidden(tree)).toEqual([]);
    expect([...tree.markedDirectories()]).toEqual(['d']);
  });

  test('drops the books of aufs, with the directories in them', () => {
    const tree = new LayerTree();
    tree.book('.wh..wh.plnk/1.2');
    tree.directory('.wh..wh.plnk', listed());
    expect(tree.takeBooks()).toEqual(['.wh..wh.plnk']);
    expect([...tree.directories]).toEqual([]);
  });

  test('refuses more names than its limit', () => {
    const tree = new LayerTree();
    tree.note(64 * 2 ** 20);
    expect(() => tree.checkBounds()).toThrow(expect.objectContaining({ code: 'LAYER_TOO_LARGE' }));
  });
});
