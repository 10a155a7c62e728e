import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { type ScratchDirectory, scratch, scratchOnOverlay } from '@lamella-test/scratch';
import fc from 'fast-check';
import { expect, type TestContext, test } from 'vitest';
import { type Change, changesOf } from './changes.js';
import { mountOverlay } from './mount-overlay.js';

/** What joins the layers: on an overlay the kernel does not. */
const JOINERS = ['the kernel', 'fuse-overlayfs'] as const;

/** An empty directory where layers are joined by one or the other. */
async function placeOf(context: TestContext, joiner: (typeof JOINERS)[number], on: 'disk' | 'tmpfs' = 'disk'): Promise<ScratchDirectory> {
  return joiner === 'the kernel' ? scratch(on) : scratchOnOverlay(context, on);
}

/** A fresh set of directories; `fill` makes the lower. */
function stack(at: ScratchDirectory, fill: (lower: string) => void): { lower: string; upper: string; work: string; merged: string } {
  const base = at.join(`stack-${readdirSync(at.path).length}`);
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => path.join(base, name)) as [string, string, string, string];
  for (const each of [lower, upper, work, merged]) mkdirSync(each, { recursive: true });
  fill(lower);
  return { lower, upper, work, merged };
}

/** What a function does to a merged view, as changes. */
async function changesAfter(at: ScratchDirectory, fill: (lower: string) => void, act: (merged: string) => void): Promise<Change[]> {
  const { lower, upper, work, merged } = stack(at, fill);
  {
    await using mount = await mountOverlay({ lowerdirs: [lower], upperdir: upper, workdir: work, merged });
    act(mount.path);
  }
  return Array.fromAsync(changesOf({ upperdir: upper, lowerdirs: [lower] }));
}

const summary = (changes: readonly Change[]): string[] =>
  changes.map(({ kind, path: where, aspects }) => `${kind} ${where}${aspects.length ? ` (${aspects})` : ''}`);

function filled(lower: string): void {
  mkdirSync(path.join(lower, 'dir/sub'), { recursive: true });
  for (const name of ['file', 'dir/one', 'dir/two', 'dir/sub/three']) writeFileSync(path.join(lower, name), `content of ${name}\n`);
  symlinkSync('file', path.join(lower, 'link'));
}

test.for(JOINERS)('everything that can happen to a file is told apart (%s)', async (joiner, context) => {
  await using at = await placeOf(context, joiner);
  const changes = await changesAfter(at, filled, (merged) => {
    const to = (name: string): string => path.join(merged, name);
    writeFileSync(to('file'), 'other\n');
    chmodSync(to('dir/one'), 0o600);
    utimesSync(to('dir/two'), 1, 2);
    rmSync(to('link'));
    symlinkSync('elsewhere', to('link'));
    rmSync(to('dir/sub'), { recursive: true });
    mkdirSync(to('new/below'), { recursive: true });
    writeFileSync(to('new/below/näme\nof two lines'), '');
  });
  expect(summary(changes)).toEqual([
    'modified /dir/one (mode)',
    'deleted /dir/sub',
    'deleted /dir/sub/three',
    'modified /dir/two (mtime)',
    'modified /file (content)',
    'modified /link (content)',
    'added /new',
    'added /new/below',
    'added /new/below/näme\nof two lines',
  ]);
});

test.for(JOINERS)('a directory that was replaced hides every entry of the one before (%s)', async (joiner, context) => {
  await using at = await placeOf(context, joiner);
  const replaced = await changesAfter(at, filled, (merged) => {
    rmSync(path.join(merged, 'dir'), { recursive: true });
    mkdirSync(path.join(merged, 'dir/sub'), { recursive: true });
    writeFileSync(path.join(merged, 'dir/sub/three'), 'content of dir/sub/three\n');
    rmSync(path.join(merged, 'file'));
    mkdirSync(path.join(merged, 'file'));
  });
  expect(summary(replaced)).toEqual(['deleted /dir/one', 'modified /dir/sub/three (mtime)', 'deleted /dir/two', 'modified /file (type)']);
  const byFile = await changesAfter(at, filled, (merged) => {
    rmSync(path.join(merged, 'dir'), { recursive: true });
    writeFileSync(path.join(merged, 'dir'), 'now a file');
  });
  expect(summary(byFile)).toEqual(['modified /dir (type)', 'deleted /dir/one', 'deleted /dir/sub', 'deleted /dir/sub/three', 'deleted /dir/two']);
});

test.for(JOINERS)('what comes and goes, or is copied up and stays the same, is no change (%s)', async (joiner, context) => {
  await using at = await placeOf(context, joiner);
  const changes = await changesAfter(at, filled, (merged) => {
    writeFileSync(path.join(merged, 'dir/passing'), 'x');
    rmSync(path.join(merged, 'dir/passing'));
    chmodSync(path.join(merged, 'file'), 0o600);
    chmodSync(path.join(merged, 'file'), 0o644);
  });
  expect(summary(changes)).toEqual([]);
});

test.for(JOINERS)('several lowers are one below, their own whiteouts and all (%s)', async (joiner, context) => {
  await using at = await placeOf(context, joiner);
  const first = stack(at, filled);
  {
    await using mount = await mountOverlay({ lowerdirs: [first.lower], upperdir: first.upper, workdir: first.work, merged: first.merged });
    rmSync(path.join(mount.path, 'dir/sub'), { recursive: true });
    writeFileSync(path.join(mount.path, 'middle'), 'm');
  }
  const second = stack(at, () => undefined);
  const lowerdirs = [first.upper, first.lower];
  {
    await using mount = await mountOverlay({ lowerdirs, upperdir: second.upper, workdir: second.work, merged: second.merged });
    mkdirSync(path.join(mount.path, 'dir/sub'));
    rmSync(path.join(mount.path, 'middle'));
    rmSync(path.join(mount.path, 'dir/one'));
  }
  expect(summary(await Array.fromAsync(changesOf({ upperdir: second.upper, lowerdirs })))).toEqual(['deleted /dir/one', 'added /dir/sub', 'deleted /middle']);
});

test('who stops reading ends the comparison', async () => {
  await using at = scratch();
  const { lower, upper } = stack(at, () => undefined);
  for (let i = 0; i < 20000; i++) writeFileSync(path.join(upper, `file-${i}`), '');
  for await (const change of changesOf({ upperdir: upper, lowerdirs: [lower] })) {
    expect(change.path).toBe('/file-0');
    break;
  }
  let count = 0;
  for await (const _ of changesOf({ upperdir: upper, lowerdirs: [lower] })) count++;
  expect(count).toBe(20000);
});

test.each(['disk', 'tmpfs'] as const)('files that were renamed say so, where the kernel notes it (%s)', async (on) => {
  await using at = scratch(on);
  const { lower, upper, work, merged } = stack(at, (directory) => {
    mkdirSync(path.join(directory, 'dir'));
    for (const name of ['a', 'z', 'dir/old', 'replaced', 'kept', 'twice']) writeFileSync(path.join(directory, name), name);
    linkSync(path.join(directory, 'twice'), path.join(directory, 'thrice'));
  });
  {
    await using mount = await mountOverlay({ lowerdirs: [lower], upperdir: upper, workdir: work, merged });
    const inside = (name: string): string => path.join(mount.path, name);
    renameSync(inside('a'), inside('b'));
    renameSync(inside('z'), inside('dir/y'));
    writeFileSync(inside('dir/y'), 'changed, too');
    renameSync(inside('dir/old'), inside('replaced'));
    writeFileSync(inside('kept'), 'changed');
    renameSync(inside('twice'), inside('once'));
    writeFileSync(inside('new'), '');
  }
  const changes = await Array.fromAsync(changesOf({ upperdir: upper, lowerdirs: [lower] }));
  const told = changes.map(({ kind, path: where, renamed }) => [kind, where, ...(renamed === undefined ? [] : [renamed])].join(' '));
  const noted = process.geteuid?.() === 0;
  expect(told).toEqual(
    [
      ['deleted /a'],
      ['added /b', '/a'],
      ['deleted /dir/old'],
      ['added /dir/y'],
      ['modified /kept'],
      ['added /new'],
      ['added /once'],
      ['modified /replaced', '/dir/old'],
      ['deleted /twice'],
      ['deleted /z', '/dir/y'],
    ].map(([what, other]) => (noted && other ? `${what} ${other}` : what)),
  );
});

test('a missing directory is an error', async () => {
  await expect(Array.fromAsync(changesOf({ upperdir: '/nowhere', lowerdirs: ['/'] }))).rejects.toMatchObject({ code: 'ENOENT' });
});

/** One thing that a command may do to a tree; what cannot be done is left. */
type Step = {
  readonly what: 'write' | 'mkdir' | 'remove' | 'chmod' | 'symlink' | 'rename' | 'link' | 'append';
  readonly a: string;
  readonly b: string;
  readonly n: number;
};

const names = fc.constantFrom('a', 'b', 'c', 'd/a', 'd/b', 'd/e/a', 'd/e', 'd', 'f', 'f/a', 'f/g/h', 'f/g');
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    what: fc.constantFrom('write', 'mkdir', 'remove', 'chmod', 'symlink', 'rename', 'link', 'append'),
    a: names,
    b: names,
    n: fc.nat(3),
  }) as fc.Arbitrary<Step>,
  { maxLength: 25 },
);

/** What a program does on EXDEV, which overlayfs says of directories of a lower: copy and remove. */
function move(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    if (`${to}/`.startsWith(`${from}/`)) throw error;
    execFileSync('cp', ['-aT', from, to], { stdio: 'pipe' });
    rmSync(from, { recursive: true });
  }
}

function act(top: string, { what, a, b, n }: Step): void {
  const [x, y] = [path.join(top, a), path.join(top, b)];
  try {
    if (what === 'write') writeFileSync(x, `written ${n}`);
    else if (what === 'append') writeFileSync(x, `more ${n}`, { flag: 'a' });
    else if (what === 'mkdir') mkdirSync(x);
    else if (what === 'remove') rmSync(x, { recursive: true });
    else if (what === 'chmod') {
      if (!lstatSync(x).isSymbolicLink()) chmodSync(x, [0o700, 0o711, 0o755, 0o777][n] ?? 0o700);
    } else if (what === 'symlink') symlinkSync(`to ${n}`, x);
    else if (what === 'rename') {
      // Onto something that is there each filesystem has its own words.
      if (x !== y && !exists(y)) move(x, y);
    } else linkSync(x, y);
  } catch (error) {
    if (!(error as NodeJS.ErrnoException).code?.startsWith('E')) throw error;
  }
}

function exists(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}

/** A tree as text: what each name is, except for times. */
function described(top: string, below = '', found = new Map<string, string>()): Map<string, string> {
  for (const name of readdirSync(path.join(top, below))) {
    const inside = `${below}/${name}`;
    const file = path.join(top, inside);
    const stat = lstatSync(file);
    const mode = (stat.mode & 0o7777).toString(8);
    if (stat.isDirectory()) {
      found.set(inside, `directory ${mode}`);
      described(top, inside, found);
    } else if (stat.isSymbolicLink()) found.set(inside, `link ${readlinkSync(file)}`);
    else found.set(inside, `file ${mode} ${readFileSync(file, 'utf8')}`);
  }
  return found;
}

test.for(JOINERS.flatMap((joiner) => [false, true].map((frozen) => [joiner, frozen] as const)))(
  'whatever is done, the changes are the difference of the trees (joined by %s, over a frozen upper: %s)',
  { timeout: 120_000 },
  async ([joiner, frozen], context) => {
    await using at = await placeOf(context, joiner, 'tmpfs');
    // fuse-overlayfs 1.10 takes all names of a linked file of a lower for one, and keeps a change of them under the first.
    const below = joiner === 'the kernel' ? steps : steps.map((some) => some.filter(({ what }) => what !== 'link'));
    await fc.assert(
      fc.asyncProperty(below, below, steps, async (before, first, during) => {
        const { lower, upper, work, merged } = stack(at, (directory) => {
          for (const step of before) act(directory, step);
        });
        const was = described(lower);
        const stopped = path.join(path.dirname(lower), 'below');
        if (frozen) {
          mkdirSync(stopped);
          await using mount = await mountOverlay({ lowerdirs: [lower], upperdir: stopped, workdir: work, merged });
          for (const step of first) act(mount.path, step);
        }
        if (frozen) mkdirSync(path.join(path.dirname(lower), 'work2'));
        let is: Map<string, string>;
        {
          await using mount = await mountOverlay({
            lowerdirs: frozen ? [stopped, lower] : [lower],
            upperdir: upper,
            workdir: frozen ? path.join(path.dirname(lower), 'work2') : work,
            merged,
          });
          for (const step of during) act(mount.path, step);
          is = described(mount.path);
        }
        const expected = [
          ...[...was.keys()].filter((name) => !is.has(name)).map((name) => `deleted ${name}`),
          ...[...is].filter(([name, what]) => was.get(name) !== what).map(([name]) => `${was.has(name) ? 'modified' : 'added'} ${name}`),
        ];
        const changes = await Array.fromAsync(changesOf({ upperdir: upper, lowerdirs: [lower], ...(frozen ? { frozen: [stopped] } : {}) }));
        // Times and numbers of names are not in the model; fuse-overlayfs gives a copied link the time of its copy.
        const isModelled = (aspect: string): boolean => aspect !== 'mtime' && aspect !== 'links';
        const told = changes.filter(({ aspects }) => !aspects.length || aspects.some(isModelled)).map(({ kind, path: where }) => `${kind} ${where}`);
        expect(told.toSorted()).toEqual(expected.toSorted());
        rmSync(path.dirname(lower), { recursive: true, force: true });
      }),
      { numRuns: Number(process.env.LAMELLA_PROPERTY_RUNS ?? 40) },
    );
  },
);
