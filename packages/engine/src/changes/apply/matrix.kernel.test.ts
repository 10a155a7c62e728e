import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountOverlay } from '@lamella/overlay';
import { AT_FDCWD, isOriginMark, type Op, parseWalked, run, type Walked } from '@lamella/syscall';
import { requiresRoot, type ScratchDirectory, SEED, scratch } from '@lamella-test/scratch';
import { describeTree } from '@lamella-test/tree';
import { describe, expect, test } from 'vitest';
import type { CheckedMount } from '../../model/writable-mount.js';
import { changesIn } from '../changes.js';
import { type Applied, type ApplyOptions, apply } from './apply.js';
import { noteSeenPlaces, readSeenPlaces, type SeenPlaces } from './conflicts/seen-directories.js';
import { undo } from './undo.js';

/**
 * What is expected of a cell. Without file handles nobody knows whether a directory is another one: `doubt` is a conflict only there, for
 * something could be lost; `proof` is one only with them, for nothing could.
 */
type Verdict = 'conflict' | 'applies' | 'doubt' | 'proof';

/** A project of the host, and a container's view of it. */
interface Project {
  readonly root: string;
  readonly view: CheckedMount;
  host(name: string): string;
  /** The container begins: what the host does from here on is later. */
  begins(): Promise<void>;
  inside(act: (merged: string) => void): Promise<void>;
  apply(options?: ApplyOptions, seen?: SeenPlaces): Promise<Applied>;
}

async function project(at: ScratchDirectory, handles: 'with file handles' | 'without them'): Promise<Project> {
  const [top = '', root = '', upperdir = '', workdir = '', merged = ''] = ['project', 'store', 'upper', 'work', 'merged'].map((name) => at.join(name));
  for (const each of [top, root, upperdir, workdir, merged]) mkdirSync(each);
  const view: CheckedMount = { destination: '/p', upperdir, workdir, frozen: [], lowerdirs: [top], files: false, source: top, expected: {}, given: undefined };
  let since = new Date();
  return {
    root,
    view,
    host: (name) => path.join(top, name),
    async begins() {
      // The clock of files lags behind some milliseconds.
      await sleep(15);
      since = new Date();
      await sleep(15);
    },
    async inside(act) {
      {
        await using mount = await mountOverlay({ lowerdirs: [top], upperdir, workdir, merged });
        act(mount.path);
      }
      if (handles === 'without them') await withoutHandles(upperdir);
    },
    apply: (options = {}, seen = []) => apply({ root, id: 'c1', since, seen }, changesIn([view], []), options),
  };
}

/** Marks copies as overlayfs does for an ordinary user: that they are, but not of what. */
async function withoutHandles(upperdir: string): Promise<void> {
  const copies: Walked[] = [];
  await run([{ op: 'walk', dirfd: AT_FDCWD, content: 0, pathname: upperdir }], {
    onReply: (reply) => void (reply.kind === 'data' && copies.push(parseWalked(reply.data))),
  });
  const ops = copies
    .filter(({ xattrs }) => xattrs.some(([name]) => isOriginMark(name)))
    .map(({ name }): Op => ({ op: 'lsetxattr', path: Buffer.from(`${upperdir}/${name}`, 'latin1'), name: 'trusted.overlay.origin', value: '', flags: 0 }));
  expect(ops.length).toBeGreaterThan(0);
  await run(ops);
}

/** Runs a script in each of some directories, by one shell. */
function runEach(directories: readonly string[], script: (i: number) => string): void {
  const lines = directories.map((directory, i) => `(cd '${directory}' && ${script(i)})`);
  execFileSync('sh', ['-e'], { input: lines.join('\n') });
}

/** What a container does to `d/f`, to `d`, or beside them. */
const INSIDE = {
  'writes d/f': 'echo inside > d/f',
  'chmods d/f': 'chmod 600 d/f',
  'removes d/f': 'rm d/f',
  'replaces d/f': 'echo inside > d/new; mv d/new d/f',
  'makes d/f a directory': 'rm d/f; mkdir d/f; echo inside > d/f/in',
  'makes d/new': 'echo inside > d/new',
  'removes d': 'rm -r d',
  'makes d a file': 'rm -r d; echo inside > d',
  'makes d anew': 'rm -r d; mkdir d; echo inside > d/in',
  'chmods d': 'chmod 700 d',
  'renames d/f to d/h': 'mv d/f d/h',
  'links d/f to h': 'ln d/f h',
} as const;

/** What the host does afterwards, and what that is for each: by default the host's change is nobody's concern. */
const OUTSIDE: Readonly<Record<string, { readonly act: string; readonly verdict: Partial<Record<keyof typeof INSIDE, Verdict>>; readonly rest: Verdict }>> = {
  nothing: { act: ':', verdict: {}, rest: 'applies' },
  'writes f': { act: 'echo outside > f', verdict: {}, rest: 'applies' },
  'makes other/x': { act: 'echo outside > other/x', verdict: {}, rest: 'applies' },
  'writes d/g': {
    act: 'echo outside > d/g',
    verdict: { 'removes d': 'conflict', 'makes d a file': 'conflict', 'makes d anew': 'conflict' },
    rest: 'applies',
  },
  'makes d/x': {
    act: 'echo outside > d/x',
    verdict: { 'removes d': 'conflict', 'makes d a file': 'conflict', 'makes d anew': 'conflict', 'chmods d': 'conflict' },
    rest: 'applies',
  },
  'makes d/x and x': {
    act: 'echo outside > d/x; echo outside > x',
    verdict: {
      'removes d': 'conflict',
      'makes d a file': 'conflict',
      'makes d anew': 'conflict',
      'chmods d': 'conflict',
      'writes d/f': 'doubt',
      'chmods d/f': 'doubt',
      'removes d/f': 'doubt',
      'replaces d/f': 'doubt',
      'makes d/f a directory': 'doubt',
      'renames d/f to d/h': 'doubt',
      'links d/f to h': 'doubt',
    },
    rest: 'applies',
  },
  'writes d/f': {
    act: 'echo outside > d/f',
    verdict: { 'makes d/new': 'applies', 'chmods d': 'applies' },
    rest: 'conflict',
  },
  'writes d/f and gives it its old times': {
    act: 'touch -r d/f /tmp/lamella-times-$$; echo outside >> d/f; touch -r /tmp/lamella-times-$$ d/f; rm /tmp/lamella-times-$$',
    verdict: { 'makes d/new': 'applies', 'chmods d': 'applies' },
    rest: 'conflict',
  },
  'chmods d/f': {
    act: 'chmod 640 d/f',
    verdict: { 'makes d/new': 'applies', 'chmods d': 'applies' },
    rest: 'conflict',
  },
  'removes d/f': {
    act: 'rm d/f',
    verdict: {
      'writes d/f': 'conflict',
      'chmods d/f': 'conflict',
      'chmods d': 'conflict',
      'renames d/f to d/h': 'conflict',
      'links d/f to h': 'conflict',
    },
    rest: 'applies',
  },
  'renames e/f over d/f': {
    act: 'mv e/f d/f',
    verdict: { 'makes d/new': 'applies' },
    rest: 'conflict',
  },
  'renames e to d': {
    act: 'mv d away; mv e d',
    verdict: { 'makes d/new': 'proof' },
    rest: 'conflict',
  },
  'renames e to d, and makes a name in it': {
    act: 'mv d away; mv e d; echo outside > d/x',
    verdict: { 'makes d/new': 'proof' },
    rest: 'conflict',
  },
  'removes d': {
    act: 'rm -r d',
    verdict: { 'removes d': 'applies', 'makes d a file': 'applies', 'makes d anew': 'applies' },
    rest: 'conflict',
  },
  'chmods d': {
    act: 'chmod 711 d',
    // Where the container wrote in d it has the permissions of before: to apply them would take the host's back.
    verdict: {},
    rest: 'conflict',
  },
  'links d/g to y': {
    act: 'ln d/g y',
    verdict: { 'removes d': 'conflict', 'makes d a file': 'conflict', 'makes d anew': 'conflict' },
    rest: 'applies',
  },
  'moves f into d': {
    act: 'mv f d/moved',
    verdict: { 'removes d': 'conflict', 'makes d a file': 'conflict', 'makes d anew': 'conflict', 'chmods d': 'conflict', 'makes d/new': 'applies' },
    rest: 'doubt',
  },
};

/** The trees without what changes by itself: the times of directories. */
async function contentOf(directory: string): Promise<Map<string, unknown>> {
  return new Map(
    [...(await describeTree(directory))].map(([name, { mtime, ...rest }]) => [name, rest.type === 'directory' ? { ...rest, size: 0 } : { ...rest, mtime }]),
  );
}

/** All with LAMELLA_LONG; else a quarter of them. */
const CELLS = (Object.keys(INSIDE) as (keyof typeof INSIDE)[])
  .flatMap((inside) => Object.keys(OUTSIDE).map((outside) => ({ inside, outside })))
  .filter((_, i) => process.env.LAMELLA_LONG || (i + SEED) % 4 === 0);

/** A separate tree for each cell, all in one project. Without handles a file is known again by its size and time. */
function filled(top: string, i: number): void {
  for (const directory of ['d/sub', 'e/sub', 'other']) mkdirSync(path.join(top, directory), { recursive: true });
  for (const name of ['f', 'g', 'd/f', 'd/g', 'd/sub/f', 'e/f', 'e/sub/f', 'other/f']) writeFileSync(path.join(top, name), `${name} ${'.'.repeat(i)}`);
}

describe.each(['with file handles', 'without them'] as const)('what a container and the host both do, %s', (handles) => {
  test('is a conflict where something of the host would be lost, and nowhere else', { timeout: 60_000 }, async (context) => {
    requiresRoot(context);
    await using at = scratch();
    const one = await project(at, handles);
    for (const i of CELLS.keys()) filled(one.host(String(i)), i);
    await one.begins();
    await one.inside((merged) => {
      const places = CELLS.map((_, i) => path.join(merged, String(i)));
      runEach(places, (i) => INSIDE[CELLS[i]?.inside ?? 'chmods d']);
    });
    runEach(
      CELLS.map((_, i) => one.host(String(i))),
      (i) => OUTSIDE[CELLS[i]?.outside ?? 'nothing']?.act ?? ':',
    );
    const before = await contentOf(one.host(''));

    const { conflicts } = await one.apply({ dryRun: true, onConflict: 'ours' });
    const met = new Set(conflicts.map(({ name }) => name.split('/')[0]));
    const found = CELLS.map(({ inside, outside }, i) => `${inside}, host ${outside}: ${met.has(String(i)) ? 'conflict' : 'applies'}`);
    const wanted = CELLS.map(({ inside, outside }) => {
      const { verdict, rest } = OUTSIDE[outside] ?? { verdict: {}, rest: 'applies' as const };
      const cell = verdict[inside] ?? rest;
      return `${inside}, host ${outside}: ${cell === 'doubt' || cell === 'proof' ? ((cell === 'proof') === (handles === 'with file handles') ? 'conflict' : 'applies') : cell}`;
    });
    expect(found).toEqual(wanted);
    await expect(one.apply()).rejects.toMatchObject({ code: 'APPLY_CONFLICT' });
    expect(await contentOf(one.host(''))).toEqual(before);

    // What is said to be left is as it was, with all that nobody says anything of.
    const { changes, left } = await one.apply({ onConflict: 'theirs' });
    const after = await contentOf(one.host(''));
    const done = new Set(changes.map(({ name }) => name));
    for (const { name } of left) expect(done.has(name), name).toBe(false);
    for (const [name, object] of before) if (!done.has(name)) expect(after.get(name), name).toEqual(object);
    expect(left.length).toBeGreaterThanOrEqual(conflicts.length);
    expect(conflicts.length).toBeGreaterThan(0);

    await undo(one.root, 'c1');
    expect(await contentOf(one.host(''))).toEqual(before);
    // And once more: nothing that we did is the host's doing.
    expect((await one.apply({ dryRun: true, onConflict: 'ours' })).conflicts.map(({ name }) => name)).toEqual(conflicts.map(({ name }) => name));
    await one.apply({ onConflict: 'ours' });
    await undo(one.root, 'c1');
    expect(await contentOf(one.host(''))).toEqual(before);
  });
});

test('without file handles, what was noted at the end of a life tells whether a directory is another', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  const one = await project(at, 'without them');
  const cases = {
    'names in it and above': { act: 'echo outside > d/x; echo outside > x; mkdir y', conflicts: [] },
    'permissions beside it': { act: 'chmod 700 other; echo outside > x', conflicts: [] },
    'another one in its place': { act: 'mv d away; mv e d', conflicts: ['d/f', 'd/new', 'd/sub/f'] },
    'another one in the place of what is below': { act: 'mv d/sub away; mv e/sub d/sub; echo outside > d/sub/x', conflicts: ['d/sub/f'] },
  };
  const names = Object.keys(cases) as (keyof typeof cases)[];
  for (const [i] of names.entries()) filled(one.host(String(i)), i);
  await one.begins();
  const since = new Date();
  await one.inside((merged) =>
    runEach(
      names.map((_, i) => path.join(merged, String(i))),
      () => 'echo inside > d/f; rm d/g; echo inside > d/new; echo inside > d/sub/f',
    ),
  );
  const record = { containers: path.join(one.root, 'containers'), id: 'c1' };
  mkdirSync(path.join(record.containers, record.id), { recursive: true });
  const config = { since: since.toISOString(), created: since.toISOString() };
  await noteSeenPlaces(record, config, [one.view]);
  runEach(
    names.map((_, i) => one.host(String(i))),
    (i) => cases[names[i] ?? 'names in it and above'].act,
  );
  const { conflicts } = await one.apply({ dryRun: true, onConflict: 'ours' }, await readSeenPlaces(record));
  const found = names.map((_, i) => conflicts.filter(({ name }) => name.startsWith(`${i}/`)).map(({ name }) => name.slice(2)));
  expect(Object.fromEntries(names.map((name, i) => [name, found[i]]))).toEqual(
    Object.fromEntries(names.map((name) => [name, expect.arrayContaining([...cases[name].conflicts])])),
  );
  expect(found.map((each) => each.length > 0)).toEqual(names.map((name) => cases[name].conflicts.length > 0));
});
