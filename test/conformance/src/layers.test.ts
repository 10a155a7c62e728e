import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { ImageStore } from '@lamella/image';
import { mountOverlay } from '@lamella/overlay';
import { requiresProgram, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { describeTree, type Member, ociLayout, tarArchive, treeLines } from '@lamella-test/tree';
import fc from 'fast-check';
import { expect, test } from 'vitest';

/** Few names, so that layers meet each other. */
const name = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const metadata = {
  uid: fc.nat(3),
  gid: fc.nat(3),
  mtime: fc.integer({ min: 1, max: 2_000_000_000 }),
  mode: fc.constantFrom(0o755, 0o700, 0o644, 0o1777, 0o4711),
};
const member: fc.Arbitrary<Member> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ name, data: fc.string({ maxLength: 20 }), ...metadata }) },
  { weight: 4, arbitrary: fc.record({ name, type: fc.constant('5'), ...metadata }) },
  {
    weight: 1,
    arbitrary: fc.record({
      name,
      type: fc.constant('2'),
      linkname: fc.constantFrom('/nowhere', 'x', '../y', 'a', 'b', '/a', '/c/b', '../b'),
      uid: fc.nat(3),
      gid: fc.nat(3),
      mtime: metadata.mtime,
    }),
  },
  { weight: 1, arbitrary: fc.record({ name, type: fc.constant('6'), ...metadata }) },
  { weight: 2, arbitrary: fc.record({ name, type: fc.constant('1'), linkname: name }) },
  { weight: 3, arbitrary: name.map((each): Member => ({ name: path.posix.join(path.posix.dirname(each), `.wh.${path.posix.basename(each)}`) })) },
  { weight: 1, arbitrary: name.map((each): Member => ({ name: `${each}/.wh..wh..opq` })) },
);

/**
 * A layer as tools make them: every name once, nothing below what is not a directory, and no
 * whiteout inside of a directory that is itself new (there is nothing that it could hide).
 */
function sensible(members: readonly Member[]): Member[] {
  const chosen: Member[] = [];
  const nonDirectories = new Set<string>();
  const seen = new Set<string>();
  const parents = (each: string): string[] =>
    each
      .split('/')
      .slice(0, -1)
      .map((_, i, all) => all.slice(0, i + 1).join('/'));
  for (const each of members) {
    const base = path.posix.basename(each.name);
    const real = base === '.wh..wh..opq' ? path.posix.dirname(each.name) : path.posix.join(path.posix.dirname(each.name), base.replace(/^\.wh\./, ''));
    const isDirectory = each.type === '5' || base === '.wh..wh..opq';
    if (seen.has(each.name) || parents(each.name).some((parent) => nonDirectories.has(parent))) continue;
    // What others need as a directory cannot become something else.
    if (!isDirectory && (seen.has(real) || chosen.some((other) => other.name.startsWith(`${real}/`)))) continue;
    if (isDirectory && nonDirectories.has(real)) continue;
    seen.add(each.name);
    if (!isDirectory) {
      nonDirectories.add(real);
      seen.add(real);
    }
    chosen.push(each);
  }
  return chosen;
}

/** Whiteouts only where the layers below have a directory: what others mean nothing, and tools differ about. */
function sensibleStack(stack: readonly (readonly Member[])[]): Member[][] {
  const directories = new Set<string>(['.']);
  return stack.map((members) => {
    // What this layer itself hides it does not speak of again.
    const hidden = members.flatMap(({ name: each }) => {
      const base = path.posix.basename(each);
      const parent = path.posix.dirname(each);
      return base === '.wh..wh..opq' ? [parent] : base.startsWith('.wh.') ? [path.posix.join(parent, base.slice(4))] : [];
    });
    const kept = members.filter((each) => {
      const inside = (top: string): boolean => path.posix.dirname(each.name) === top || each.name.startsWith(`${top}/`);
      if (path.posix.basename(each.name).startsWith('.wh.') && !each.name.endsWith('.wh..wh..opq') && hidden.some(inside)) return false;
      const base = path.posix.basename(each.name);
      return !base.startsWith('.wh.') || directories.has(path.posix.dirname(each.name));
    });
    const removeBelow = (top: string): void => {
      for (const each of directories) if (each.startsWith(`${top}/`)) directories.delete(each);
    };
    for (const each of kept.filter(({ name: n }) => path.posix.basename(n).startsWith('.wh.'))) {
      const parent = path.posix.dirname(each.name);
      const base = path.posix.basename(each.name);
      const top = base === '.wh..wh..opq' ? parent : path.posix.join(parent, base.slice(4));
      removeBelow(top);
      if (top !== parent) directories.delete(top);
    }
    for (const each of kept.filter(({ name: n }) => !path.posix.basename(n).startsWith('.wh.'))) {
      for (let parent = path.posix.dirname(each.name); parent !== '.'; parent = path.posix.dirname(parent)) directories.add(parent);
      if (each.type === '5') directories.add(each.name);
      else {
        directories.delete(each.name);
        removeBelow(each.name);
      }
    }
    // Marks first: umoci lets an opaque one pass over what came before it, the specification does not.
    const isMark = (each: Member): boolean => path.posix.basename(each.name).startsWith('.wh.');
    return [...kept.filter(isMark), ...kept.filter((each) => !isMark(each))];
  });
}

async function merged(at: ScratchDirectory, store: ImageStore, image: string, compare: (tree: string) => Promise<void>): Promise<void> {
  const { layers } = await store.resolve(image);
  mkdirSync(at.join('merged'), { recursive: true });
  // Overlayfs wants two layers or an upper.
  mkdirSync(at.join('empty'), { recursive: true });
  await using mounted = await mountOverlay({ lowerdirs: [...layers.map((layer) => layer.path), at.join('empty')], merged: at.join('merged') });
  await compare(mounted.path);
}

test('stacks of random layers look as umoci unpacks them', { timeout: 300_000 }, async (context) => {
  requiresRoot(context);
  const umoci = requiresProgram(context, 'umoci');
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(member, { maxLength: 8 }).map(sensible), { minLength: 1, maxLength: 4 }), async (random) => {
      const stack = sensibleStack(random);
      await using at = scratch('tmpfs');
      // The first layer lists its root; what a tool does with one that nobody lists is its own affair.
      const layers = stack.map((members, i) => tarArchive([...(i === 0 ? [{ name: './', type: '5', mtime: 1 }] : []), ...members]));
      ociLayout(at.join('layout'), layers, { name: 'image' });
      const unpacked = spawnSync(umoci, ['unpack', '--image', `${at.join('layout')}:image`, at.join('bundle')], { encoding: 'utf8' });
      // It does not make a directory where the layers below have a file; Docker and we do. Links may lead to
      // nothing, to a directory or in a circle: that is refused here and there.
      fc.pre(!/not a directory|no such file|not permitted|too many levels|file exists|is a directory/.test(unpacked.stderr));
      expect(unpacked).toMatchObject({ status: 0, stderr: expect.any(String) });
      const store = new ImageStore(at.join('store'));
      await store.load(at.join('layout'), { name: 'image' });
      await merged(at, store, 'image', async (tree) => {
        // umoci lets a directory become as young as its newest child when one on the way was not listed.
        const touched = new Set(
          stack.flatMap((members) => {
            const listed = new Set(members.filter(({ type }) => type === '5').map(({ name: each }) => each));
            return members.flatMap(({ name: each }) => {
              const parents: string[] = [];
              for (let parent = path.posix.dirname(each); parent !== '.'; parent = path.posix.dirname(parent)) parents.push(parent);
              return parents.every((parent) => listed.has(parent)) ? [] : parents;
            });
          }),
        );
        // A directory that no layer lists, behind a link to nothing, is as old as its unpacking.
        const listed = new Set(stack.flatMap((members) => members.flatMap(({ type, name: each }) => (type === '5' ? [each] : []))));
        const lines = async (directory: string): Promise<string[]> => {
          const found = await describeTree(directory);
          for (const [each, entry] of found)
            if (entry.type === 'directory' && (each === '.' || touched.has(each) || !listed.has(each))) found.set(each, { ...entry, mtime: '' });
          return treeLines(found);
        };
        expect(await lines(tree)).toEqual(await lines(at.join('bundle/rootfs')));
      });
    }),
    // The same stacks every time, so that a run says something of the change it is run for; more with LAMELLA_SEED.
    { numRuns: 40, seed: Number(process.env.LAMELLA_SEED ?? 20261124) },
  );
});
