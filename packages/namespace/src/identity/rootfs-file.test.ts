import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { scratch } from '@lamella-test/scratch';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RootfsFiles, rootfsLines } from './rootfs-file.js';

type Node = string | { readonly [name: string]: Node } | { readonly link: string };
/** What an image's layers have at the places that a lookup comes by. */
const NAMES = ['a', 'b'] as const;
const leaf: fc.Arbitrary<Node | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.constant('file'),
  fc.constantFrom('a', '../b', '/a/b', '/b/a', '..', '../../..', '/', 'none', './b').map((link) => ({ link })),
);
const directory = (below: fc.Arbitrary<Node | undefined>): fc.Arbitrary<Node> => fc.record({ a: below, b: below }) as fc.Arbitrary<Node>;
const layer = directory(fc.oneof(leaf, directory(fc.oneof(leaf, directory(leaf)))));

const isLink = (node: Node): node is { readonly link: string } => typeof node === 'object' && 'link' in node;

function write(node: Node, at: string, where: string): void {
  if (node === undefined) return;
  if (typeof node === 'string') writeFileSync(at, where);
  else if (isLink(node)) symlinkSync(node.link as string, at);
  else {
    mkdirSync(at, { recursive: true });
    for (const [name, each] of Object.entries(node)) write(each as Node, path.join(at, name), `${where}/${name}`);
  }
}

/** The model: layers merged into one tree, as overlayfs does. */
function merge(upper: Node | undefined, lower: Node | undefined, where: readonly [string, string]): Node | undefined {
  const isDirectory = (node: Node | undefined): boolean => typeof node === 'object' && !isLink(node);
  if (upper === undefined) return lower === undefined || !isDirectory(lower) ? named(lower, where[1]) : both({}, lower as object, where);
  if (!isDirectory(upper)) return named(upper, where[0]);
  return both(upper as object, isDirectory(lower) ? (lower as object) : {}, where);
}
const named = (node: Node | undefined, where: string): Node | undefined => (typeof node === 'string' ? where : node);
const both = (upper: object, lower: object, where: readonly [string, string]): Node =>
  Object.fromEntries(
    NAMES.map((name) => [
      name,
      merge((upper as Record<string, Node>)[name], (lower as Record<string, Node>)[name], [`${where[0]}/${name}`, `${where[1]}/${name}`]),
    ]),
  ) as unknown as Node;

/** Where a path leads in the model, links followed inside of it. */
function resolve(tree: Node, file: string): Node | undefined {
  let way: Node[] = [tree];
  let pending = file.split('/').filter((name) => name && name !== '.');
  for (let links = 0; pending.length; ) {
    const name = pending.shift() as string;
    const here = way.at(-1) as Node;
    if (typeof here !== 'object') return undefined;
    if (name === '..') {
      if (way.length > 1) way.pop();
      continue;
    }
    const next = (here as Record<string, Node | undefined>)[name];
    if (next === undefined) return undefined;
    if (!isLink(next)) {
      way.push(next);
      continue;
    }
    if (++links > 40) return undefined;
    if (next.link.startsWith('/')) way = [tree];
    pending = [...next.link.split('/').filter((each) => each && each !== '.'), ...pending];
  }
  return way.length > 1 ? way.at(-1) : undefined;
}

test('what is read of layers is what a merge of them has, for any links in them, and nothing stays open', { timeout: 1_200_000 }, async () => {
  await using at = scratch();
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const before = descriptors();
  fc.assert(
    fc.property(layer, layer, (top, bottom) => {
      for (const [name, node] of Object.entries({ top, bottom })) {
        rmSync(at.join(name), { recursive: true, force: true });
        write(node, at.join(name), name);
      }
      const tree = merge(top, bottom, ['top', 'bottom']) as Node;
      using files = new RootfsFiles([at.join('top'), at.join('bottom')]);
      for (const file of ['/a', '/b/a', '/a/b', '/b', '/a/b/a', '/b/../a/a', 'a/./b/b']) {
        const found = resolve(tree, file);
        const read = (): string => [...files.lines(file)].join();
        if (typeof found === 'object') expect(read).toThrow(expect.objectContaining({ code: 'FILE_IRREGULAR' }));
        else expect(read()).toBe(found ?? '');
      }
    }),
    { numRuns: process.env.LAMELLA_LONG ? 5000 : 200 },
  );
  // Node may close one that it opened itself.
  expect(descriptors()).toBeLessThanOrEqual(before);
});

test('a reader that stops early leaves nothing open', async () => {
  await using at = scratch();
  mkdirSync(at.join('etc'));
  writeFileSync(at.join('etc/passwd'), 'one\ntwo\n');
  const before = readdirSync('/proc/self/fd').length;
  for (const line of rootfsLines([at.path], '/etc/passwd')) {
    expect(line).toBe('one');
    break;
  }
  expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
});
