import { lstatSync } from 'node:fs';
import { describeTree, type TreeEntry } from '@lamella-test/tree';

/** What of an object has to be equal, as one line; by path (bytes as latin1). */
export type Tree = ReadonlyMap<string, string>;

/** A tree, and what of it is one file under several names. */
export interface Looked {
  readonly tree: Tree;
  /** Of files with several names: the other ones. */
  readonly linked: ReadonlyMap<string, readonly string[]>;
}

/**
 * Look at a tree. Times since `began` (seconds) are all alike, because two runs cannot write at the same moment, and a
 * directory's time is left out: it changes with every name in it.
 */
export async function look(directory: string, began: number): Promise<Looked> {
  const found = await describeTree(directory);
  found.delete('.');
  const groups = new Map<string, string[]>();
  for (const [name, { sameAs, type }] of found) if (type !== 'directory') groups.set(sameAs, [...(groups.get(sameAs) ?? []), name]);
  const linked = new Map<string, readonly string[]>();
  for (const names of groups.values())
    if (names.length > 1)
      for (const name of names)
        linked.set(
          name,
          names.filter((other) => other !== name),
        );
  return { tree: new Map([...found].map(([name, entry]) => [name, lineOf(entry, began)])), linked };
}

function lineOf({ type, mode, owner, mtime, size, content, xattrs }: TreeEntry, began: number): string {
  const time = type === 'directory' ? '' : Number.parseInt(mtime, 10) >= began ? 'now' : mtime;
  return [type, type === 'symlink' ? '' : mode, owner, size, time, content, ...xattrs].join(' ');
}

/** Returns which object has each name of a tree. A number of an inode alone is given to the next object, a time of birth is not. */
export async function identitiesIn(directory: string): Promise<ReadonlyMap<string, string>> {
  return new Map(
    [...(await describeTree(directory)).keys()].map((name) => {
      const { ino, birthtimeNs } = lstatSync(Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name, 'latin1')]), { bigint: true });
      return [name, `${ino} ${birthtimeNs}`];
    }),
  );
}

/** Where two trees differ, for people; nothing of what is `left` aside. */
export function differences(expected: Tree, found: Tree, left: (name: string) => boolean = () => false): string[] {
  return [...new Set([...expected.keys(), ...found.keys()])]
    .filter((name) => !left(name) && expected.get(name) !== found.get(name))
    .toSorted()
    .map((name) => `${JSON.stringify(name)}\n    expected: ${expected.get(name) ?? 'nothing'}\n    found:    ${found.get(name) ?? 'nothing'}`);
}

/**
 * Returns what becomes of a tree that two have changed, each from the same beginning: of each name the state that its one changer
 * gave it.
 *
 * @param replaced names where ours are other objects than in the beginning, also where they look the same. Where the other removed
 *   such a name, ours comes back: overlayfs keeps no trace of what a new object replaced.
 * @returns undefined where both changed one name, or where one needs a directory that the other took away: a conflict
 */
export function merge(base: Tree, ours: Tree, theirs: Tree, replaced?: ReadonlySet<string>): Tree | undefined {
  const merged = new Map<string, string>();
  for (const name of new Set([...base.keys(), ...ours.keys(), ...theirs.keys()])) {
    const [was, our, their] = [base.get(name), ours.get(name), theirs.get(name)];
    const isRemovedByThem = replaced !== undefined && their === undefined;
    const both = our !== was && their !== was && our !== their;
    if (both && !isRemovedByThem) return undefined;
    const now = our === was && !(isRemovedByThem && replaced.has(name)) ? their : our;
    if (now !== undefined) merged.set(name, now);
  }
  for (const name of merged.keys()) {
    const parent = name.slice(0, Math.max(0, name.lastIndexOf('/')));
    if (parent && !merged.get(parent)?.startsWith('directory ')) return undefined;
  }
  return merged;
}
