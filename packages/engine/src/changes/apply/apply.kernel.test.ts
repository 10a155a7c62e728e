import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountOverlay } from '@lamella/overlay';
import { lockFile } from '@lamella/syscall';
import { requiresProgram, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { describeTree } from '@lamella-test/tree';
import { beforeEach, expect, test } from 'vitest';
import type { CheckedMount } from '../../model/writable-mount.js';
import { changesIn } from '../changes.js';
import { type Applied, type ApplyOptions, apply } from './apply.js';
import { forgetTakenBack } from './forget-applied.js';
import { applyingOf, type Journal, journalOf } from './program/journal.js';
import { recover } from './recover.js';
import { undo } from './undo.js';

/** A project of the host, a container's view of it, and a store. */
interface Setup {
  readonly project: string;
  readonly root: string;
  readonly view: CheckedMount;
  /** Do something in the view. */
  change(act: (merged: string) => void): Promise<void>;
  apply(options?: ApplyOptions): Promise<Applied>;
  /** The project as it is; times of directories change with what is in them. */
  now(): Promise<Map<string, unknown>>;
}

let begun: Date;
beforeEach(() => {
  begun = new Date();
});

function setup(at: ScratchDirectory, fill: (project: string) => void, prefix = ''): Setup {
  const [project, root, upperdir, workdir, merged] = ['project', 'store', 'upper', 'work', 'merged'].map((name) => at.join(`${prefix}${name}`)) as [
    string,
    string,
    string,
    string,
    string,
  ];
  for (const each of [project, root, upperdir, workdir, merged]) mkdirSync(each);
  fill(project);
  const view: CheckedMount = {
    destination: '/p',
    upperdir,
    workdir,
    frozen: [],
    lowerdirs: [project],
    files: false,
    source: project,
    expected: {},
    given: undefined,
  };
  return {
    project,
    root,
    view,
    async change(act) {
      // What came before must not look as if it came after.
      await sleep(20);
      begun = new Date();
      await using mount = await mountOverlay({ lowerdirs: [project], upperdir, workdir, merged });
      act(mount.path);
    },
    apply: (options = {}) => apply({ root, id: 'c1', since: begun }, changesIn([view], []), options),
    now: () => described(project),
  };
}

/** A tree; times of directories change with what is in them. */
async function described(directory: string): Promise<Map<string, unknown>> {
  return new Map(
    [...(await describeTree(directory))]
      .filter(([name]) => !name.startsWith('.lamella-'))
      .map(([name, { mtime, ...rest }]) => [name, rest.type === 'directory' ? { ...rest, size: 0 } : { ...rest, mtime }]),
  );
}

function filled(project: string): void {
  mkdirSync(path.join(project, 'src/deep'), { recursive: true });
  mkdirSync(path.join(project, 'empty'), { mode: 0o700 });
  for (const name of ['README', 'src/a', 'src/b', 'src/deep/c']) writeFileSync(path.join(project, name), `${name}\n`);
  symlinkSync('README', path.join(project, 'link'));
}

/** A little of everything. */
function everything(merged: string): void {
  const to = (name: string): string => path.join(merged, name);
  writeFileSync(to('README'), 'changed');
  chmodSync(to('README'), 0o4711);
  rmSync(to('src/deep'), { recursive: true });
  mkdirSync(to('new/below/it'), { recursive: true, mode: 0o750 });
  writeFileSync(to('new/below/one'), 'one');
  linkSync(to('new/below/one'), to('new/two'));
  writeFileSync(to('new/below/line\nbreak \u{1f980}'), '');
  rmSync(to('link'));
  symlinkSync('somewhere/else', to('link'));
  rmSync(to('empty'), { recursive: true });
  writeFileSync(to('empty'), 'a file now');
  unlinkSync(to('src/b'));
  mkdirSync(to('src/b'));
  writeFileSync(to('src/b/inside'), 'x');
  execFileSync('sh', ['-c', 'mkfifo "$0"', to('src/fifo')]);
  chmodSync(to('src'), 0o711);
}

test('what a container did is done to the host, and taken back', async () => {
  await using at = scratch();
  const one = setup(at, filled);
  const before = await one.now();
  await one.change(everything);
  const { changes, conflicts } = await one.apply();
  expect(conflicts).toEqual([]);
  expect(changes.length).toBeGreaterThan(10);
  {
    await using mount = await mountOverlay({ lowerdirs: [one.project], upperdir: one.view.upperdir, workdir: one.view.workdir, merged: at.join('merged') });
    expect(await one.now()).toEqual(await described(mount.path));
  }
  expect(statSync(path.join(one.project, 'new/two')).ino).toBe(statSync(path.join(one.project, 'new/below/one')).ino);
  expect(lstatSync(path.join(one.project, 'README')).mode & 0o7777).toBe(0o4711);
  expect(lstatSync(path.join(one.project, 'src')).mode & 0o777).toBe(0o711);
  // Nothing is left to be applied.
  expect((await one.apply()).changes).toEqual([]);
  await undo(one.root, 'c1');
  expect(await one.now()).toEqual(before);
  await expect(undo(one.root, 'c1')).rejects.toMatchObject({ code: 'UNDO_NOTHING' });
  // While the container exists its record of what the undo restored is kept; later it is removed.
  mkdirSync(path.join(one.root, 'containers/c1'), { recursive: true });
  await forgetTakenBack(one.root);
  // Apply again: what the undo restored is not a change of the host.
  await one.apply();
  expect(readFileSync(path.join(one.project, 'empty'), 'utf8')).toBe('a file now');
  rmSync(path.join(one.root, 'containers/c1'), { recursive: true });
  await forgetTakenBack(one.root);
  // It can be taken back still, and what that removes is kept.
  await undo(one.root, 'c1');
  await forgetTakenBack(one.root);
  expect(readdirSync(path.join(one.root, 'applied'))).toEqual(['c1']);
});

test('a target that the host has changed since is a conflict, and nothing is applied', async () => {
  await using at = scratch();
  const one = setup(at, filled);
  await one.change((merged) => {
    writeFileSync(path.join(merged, 'README'), 'ours');
    rmSync(path.join(merged, 'src'), { recursive: true });
    writeFileSync(path.join(merged, 'both'), 'ours');
    writeFileSync(path.join(merged, 'alone'), 'ours');
  });
  writeFileSync(path.join(one.project, 'README'), 'theirs');
  writeFileSync(path.join(one.project, 'both'), 'theirs');
  writeFileSync(path.join(one.project, 'src/deep/new'), 'theirs');
  const before = await one.now();
  await expect(one.apply()).rejects.toMatchObject({ code: 'APPLY_CONFLICT', message: expect.stringContaining('/p/README') });
  expect(await one.now()).toEqual(before);
  await expect(one.apply({ onConflict: 'overwrite' as 'ours' })).rejects.toMatchObject({ code: 'APPLY_INVALID' });
  expect(readFileSync(path.join(one.project, 'README'), 'utf8')).toBe('theirs');
  const { conflicts } = await one.apply({ onConflict: 'theirs' });
  expect(conflicts.map(({ path: name }) => name)).toEqual(['/p/README', '/p/both', '/p/src/deep/new']);
  expect(readFileSync(path.join(one.project, 'README'), 'utf8')).toBe('theirs');
  expect(readFileSync(path.join(one.project, 'alone'), 'utf8')).toBe('ours');
  expect(readdirSync(path.join(one.project, 'src'))).toEqual(['deep']);
  expect(readdirSync(path.join(one.project, 'src/deep'))).toEqual(['new']);
  await one.apply({ onConflict: 'ours' });
  expect(readFileSync(path.join(one.project, 'README'), 'utf8')).toBe('ours');
  expect(existsSync(path.join(one.project, 'src'))).toBe(false);
});

test('what the host has removed since is a conflict, too', async () => {
  await using at = scratch();
  const one = setup(at, (project) => {
    filled(project);
    for (const name of ['both', 'moves', 'moves-too', 'linked']) writeFileSync(path.join(project, name), name);
  });
  await one.change((merged) => {
    writeFileSync(path.join(merged, 'both'), 'ours');
    writeFileSync(path.join(merged, 'src/deep/c'), 'ours');
    // What it did by itself is none: a name that is new, because it was given one.
    renameSync(path.join(merged, 'moves'), path.join(merged, 'moved'));
    renameSync(path.join(merged, 'moves-too'), path.join(merged, 'a-moved'));
    linkSync(path.join(merged, 'linked'), path.join(merged, 'another'));
    writeFileSync(path.join(merged, 'new'), 'ours');
  });
  rmSync(path.join(one.project, 'both'));
  rmSync(path.join(one.project, 'src'), { recursive: true });
  await expect(one.apply()).rejects.toMatchObject({ code: 'APPLY_CONFLICT', message: expect.stringContaining('/p/both') });
  const { conflicts, changes } = await one.apply({ onConflict: 'theirs' });
  expect(conflicts.map(({ path: name }) => name)).toEqual(['/p/both', '/p/src', '/p/src/deep', '/p/src/deep/c']);
  expect(changes.map(({ kind, path: name }) => `${kind} ${name}`)).toEqual(
    expect.arrayContaining(['added /p/a-moved', 'added /p/moved', 'added /p/new', 'deleted /p/moves', 'deleted /p/moves-too']),
  );
  expect([existsSync(path.join(one.project, 'both')), existsSync(path.join(one.project, 'src'))]).toEqual([false, false]);
});

test('only what is chosen is applied, with the new directories it is in', async () => {
  await using at = scratch();
  const one = setup(at, filled);
  await one.change(everything);
  await one.apply({ select: (change) => change.path === '/p/new/below/one' || change.path === '/p/src/deep/c' });
  expect(readdirSync(path.join(one.project, 'new'), { recursive: true }).toSorted()).toEqual(['below', 'below/one']);
  expect(readdirSync(path.join(one.project, 'src/deep'))).toEqual([]);
  expect(readFileSync(path.join(one.project, 'README'), 'utf8')).toBe('README\n');
  expect((await one.apply({ dryRun: true })).changes.length).toBeGreaterThan(5);
  expect(readFileSync(path.join(one.project, 'README'), 'utf8')).toBe('README\n');
});

test('what has changed since is not taken back unforced', async () => {
  await using at = scratch();
  const one = setup(at, filled);
  await one.change((merged) => writeFileSync(path.join(merged, 'README'), 'ours'));
  await one.apply();
  writeFileSync(path.join(one.project, 'README'), 'later');
  await expect(undo(one.root, 'c1')).rejects.toMatchObject({ code: 'UNDO_CONFLICT' });
  expect(readFileSync(path.join(one.project, 'README'), 'utf8')).toBe('later');
  await undo(one.root, 'c1', { force: true });
  expect(readFileSync(path.join(one.project, 'README'), 'utf8')).toBe('README\n');
});

test('an apply that cannot be finished leaves everything as it was', async () => {
  await using at = scratch();
  const one = setup(at, filled);
  await one.change(everything);
  const before = await one.now();
  // The last target's directory is replaced by a link in the moment between looking and writing.
  const real = path.join(one.project, 'src');
  const changes = async function* (): AsyncGenerator<Awaited<ReturnType<typeof one.apply>>['changes'][number]> {
    yield* changesIn([one.view], []);
    renameSync(real, `${real}.away`);
    symlinkSync('src.away', real);
  };
  await expect(apply({ root: one.root, id: 'c1', since: begun }, changes())).rejects.toMatchObject({ code: 'APPLY_CONFLICT' });
  unlinkSync(real);
  renameSync(`${real}.away`, real);
  expect(await one.now()).toEqual(before);
  expect(existsSync(applyingOf(one.root, 'c1'))).toBe(false);
});

test.each(['whole', '', '{"tok'])('what a crash leaves half done is taken back by the next command; its mark is %j', async (mark) => {
  await using at = scratch();
  const one = setup(at, filled);
  const before = await one.now();
  await one.change(everything);
  await one.apply();
  // As if the machine had stopped in the middle: some steps done, others not.
  const journal = JSON.parse(readFileSync(journalOf(one.root, 'c1'), 'utf8')) as Journal;
  const [part] = journal.parts;
  const put = part?.steps.find((step) => step.do === 'put' && step.name === 'new');
  renameSync(path.join(one.project, 'new'), path.join(part?.stage ?? '', `new/${put?.n}`));
  writeFileSync(journalOf(one.root, 'c1'), JSON.stringify({ ...journal, state: 'begun' } satisfies Journal));
  writeFileSync(applyingOf(one.root, 'c1'), mark === 'whole' ? JSON.stringify({ token: journal.token, stages: [] }) : mark);
  await recover(one.root);
  expect(await one.now()).toEqual(before);
  await recover(one.root);
  await expect(undo(one.root, 'c1')).rejects.toMatchObject({ code: 'UNDO_NOTHING' });
});

const SPOILT: Readonly<Record<string, (text: string) => string>> = {
  'of another version': (text) => JSON.stringify({ ...(JSON.parse(text) as Journal), version: 99 }),
  'cut off': (text) => text.slice(0, text.length / 2),
  empty: () => '',
  null: () => 'null',
  'no journal': () => '[]',
};
test.each(Object.keys(SPOILT))('nothing is removed beside a journal that cannot be read: %s', async (how) => {
  await using at = scratch();
  const one = setup(at, filled);
  await one.change(everything);
  await one.apply();
  const journal = journalOf(one.root, 'c1');
  writeFileSync(journal, SPOILT[how]?.(readFileSync(journal, 'utf8')) ?? '');
  const kept = async (): Promise<unknown> => [await describeTree(path.join(one.root, 'applied/c1')), await one.now()];
  const before = await kept();
  const refused = { code: 'APPLY_INCOMPLETE', hint: expect.stringContaining(path.join(one.root, 'applied/c1')) };
  await one.change((merged) => writeFileSync(path.join(merged, 'again'), 'again'));
  await expect(one.apply()).rejects.toMatchObject(refused);
  await expect(undo(one.root, 'c1')).rejects.toMatchObject(refused);
  // The container is gone: what was kept for it is not.
  await forgetTakenBack(one.root);
  expect(await kept()).toEqual(before);
  // Another container is applied as ever.
  await apply({ root: one.root, id: 'c2', since: begun }, changesIn([one.view], []), { select: ({ name }) => name === 'again' });
  // Whatever was under way.
  for (const mark of [{ token: 'another', stages: [] }, undefined]) {
    writeFileSync(applyingOf(one.root, 'c1'), mark ? JSON.stringify(mark) : '');
    await expect(recover(one.root)).rejects.toMatchObject(refused);
  }
  rmSync(path.join(one.project, 'again'));
  rmSync(path.join(one.root, 'applied/c2'), { recursive: true });
  expect(await kept()).toEqual(before);
  // The hint helps.
  rmSync(path.join(one.root, 'applied/c1'), { recursive: true });
  await recover(one.root);
});

test('an apply that fails leaves the way back of the one before it', async () => {
  await using at = scratch();
  const one = setup(at, filled);
  await one.change((merged) => writeFileSync(path.join(merged, 'README'), 'ours'));
  await one.apply();
  await one.change((merged) => writeFileSync(path.join(merged, 'other'), 'ours'));
  const changes = async function* (): AsyncGenerator<Awaited<ReturnType<typeof one.apply>>['changes'][number]> {
    yield* changesIn([one.view], []);
    writeFileSync(path.join(one.project, 'other'), 'theirs');
  };
  await expect(apply({ root: one.root, id: 'c1', since: begun }, changes())).rejects.toMatchObject({ code: 'APPLY_CONFLICT' });
  expect(readFileSync(path.join(one.project, 'other'), 'utf8')).toBe('theirs');
  expect(readdirSync(path.join(one.root, 'applied/c1')).toSorted()).toEqual(['journal', 'lock', expect.stringMatching(/^stage-/)]);
  expect(await undo(one.root, 'c1')).toBe(1);
  expect(readFileSync(path.join(one.project, 'README'), 'utf8')).toBe('README\n');
});

/** What `work` warned of. */
async function warnings(work: () => Promise<unknown>): Promise<string[]> {
  const found: string[] = [];
  const note = (warning: Error & { code?: string }): void => void found.push(`${warning.code}: ${warning.message}`);
  process.on('warning', note);
  try {
    await work();
    await sleep(1);
  } finally {
    process.off('warning', note);
  }
  return found;
}

/** What is kept of a container's last apply, so that not even root can remove it. */
async function immutable(root: string, id: string): Promise<AsyncDisposable> {
  const applied = path.join(root, 'applied', id);
  const [stage] = readdirSync(applied).filter((name) => name.startsWith('stage-'));
  const old = path.join(applied, stage ?? '', 'old');
  execFileSync('chattr', ['+i', old]);
  return { [Symbol.asyncDispose]: async () => void execFileSync('chattr', ['-i', old]) };
}

test.for([
  ['this container', 'c1'],
  ['another one', 'c2'],
] as const)('an apply is done, and says so, when what an apply of %s before it kept cannot be removed', async ([, before], context) => {
  requiresProgram(context, 'chattr');
  await using at = scratch();
  const one = setup(at, filled);
  await one.change((merged) => writeFileSync(path.join(merged, 'README'), 'first'));
  await apply({ root: one.root, id: before, since: begun }, changesIn([one.view], []));
  await one.change((merged) => writeFileSync(path.join(merged, 'src/a'), 'second'));
  const select: ApplyOptions['select'] = ({ name }) => name === 'src/a';
  {
    await using _still = await immutable(one.root, before);
    const told = await warnings(async () => expect((await one.apply({ select })).changes).toHaveLength(1));
    expect(told).toEqual([expect.stringMatching(/^LAMELLA_LEFT: .*EPERM/)]);
    expect(readFileSync(path.join(one.project, 'src/a'), 'utf8')).toBe('second');
    // Nor does it stop the next command.
    await recover(one.root);
    expect(existsSync(applyingOf(one.root, 'c1'))).toBe(before === 'c1');
    const undone = await warnings(() => undo(one.root, 'c1'));
    expect(undone.length > 0).toBe(before === 'c1');
    expect(readFileSync(path.join(one.project, 'src/a'), 'utf8')).toBe('src/a\n');
  }
  await recover(one.root);
  expect(existsSync(applyingOf(one.root, 'c1'))).toBe(false);
});

test('a copy that fails names the file of its own source', async () => {
  await using at = scratch();
  const one = setup(at, filled);
  await one.change((merged) => writeFileSync(path.join(merged, 'README'), 'first'));
  const other = setup(at, () => undefined, 'other-');
  await other.change((merged) => writeFileSync(path.join(merged, 'unlike'), Buffer.alloc(3_000_000)));
  // Two sources, of which the second is full.
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', other.project]);
  try {
    for (const views of [
      [one.view, other.view],
      [other.view, one.view],
    ])
      await expect(apply({ root: one.root, id: 'c1', since: new Date() }, changesIn(views, []))).rejects.toMatchObject({
        code: 'APPLY_FAILED',
        message: expect.stringMatching(/applied to \/p\/unlike: .*ENOSPC/),
      });
  } finally {
    execFileSync('umount', [other.project]);
  }
});

test('what an apply staged that was stopped before it began is removed', async () => {
  await using at = scratch();
  const one = setup(at, filled);
  await one.change(everything);
  await one.apply();
  const stages = [path.join(one.project, '.lamella-stopped'), path.join(one.root, 'applied/c1/stage-stopped')];
  for (const stage of stages) mkdirSync(path.join(stage, 'new'), { recursive: true });
  writeFileSync(applyingOf(one.root, 'c1'), JSON.stringify({ token: 'another', stages: [{ source: one.project, name: '.lamella-stopped' }] }));
  await recover(one.root);
  expect([...stages, applyingOf(one.root, 'c1')].map((each) => existsSync(each))).toEqual([false, false, false]);
  // The one that was done can be taken back as before.
  expect(await undo(one.root, 'c1')).toBeGreaterThan(5);
});

test('an apply that fails vouches for nothing that the host changed after the one before it', async () => {
  await using at = scratch();
  const one = setup(at, filled);
  await one.change((merged) => writeFileSync(path.join(merged, 'README'), 'ours'));
  await one.apply();
  writeFileSync(path.join(one.project, 'README'), 'later');
  const changes = async function* (): AsyncGenerator<Awaited<ReturnType<typeof one.apply>>['changes'][number]> {
    yield* changesIn([one.view], []);
    // It is replaced first, and given back when the second target is another than was seen.
    writeFileSync(path.join(one.project, 'src/a'), 'theirs');
  };
  await one.change((merged) => writeFileSync(path.join(merged, 'src/a'), 'ours'));
  await expect(apply({ root: one.root, id: 'c1', since: begun }, changes(), { onConflict: 'ours' })).rejects.toMatchObject({ code: 'APPLY_CONFLICT' });
  expect(readFileSync(path.join(one.project, 'README'), 'utf8')).toBe('later');
  await expect(undo(one.root, 'c1')).rejects.toMatchObject({ code: 'UNDO_CONFLICT' });
});

test('what one of several applies left is no conflict of a later one', async () => {
  await using at = scratch();
  const one = setup(at, filled);
  // A ctime is finer than this: what was made in the same millisecond would be later.
  await sleep(20);
  const since = new Date();
  await one.change((merged) => {
    writeFileSync(path.join(merged, 'README'), 'first');
    writeFileSync(path.join(merged, 'src/a'), 'first');
  });
  const only = (name: string): Promise<Applied> =>
    apply({ root: one.root, id: 'c1', since }, changesIn([one.view], []), { select: (change) => change.path === name });
  await only('/p/README');
  await only('/p/src/a');
  await one.change((merged) => writeFileSync(path.join(merged, 'README'), 'second'));
  expect((await only('/p/README')).conflicts).toEqual([]);
  expect(readFileSync(path.join(one.project, 'README'), 'utf8')).toBe('second');
});

test('the mark of an apply that is under way stays, and that of one which died before it touched anything goes', async () => {
  await using at = scratch();
  const one = setup(at, filled);
  await one.change(everything);
  await one.apply();
  const after = await one.now();
  writeFileSync(applyingOf(one.root, 'c1'), JSON.stringify({ token: 'another', stages: [] }));
  {
    await using _apply = await lockFile(path.join(one.root, 'applied/c1/lock'));
    await recover(one.root);
    expect(existsSync(applyingOf(one.root, 'c1'))).toBe(true);
  }
  await recover(one.root);
  expect(existsSync(applyingOf(one.root, 'c1'))).toBe(false);
  expect(await one.now()).toEqual(after);
});

test('an undo that would take later work with it names all of it, and is refused', async () => {
  await using at = scratch();
  const one = setup(at, filled);
  await one.change((merged) => {
    mkdirSync(path.join(merged, 'app/src'), { recursive: true });
    writeFileSync(path.join(merged, 'app/src/main.js'), 'generated');
    rmSync(path.join(merged, 'README'));
    chmodSync(path.join(merged, 'src'), 0o711);
    unlinkSync(path.join(merged, 'src/b'));
    writeFileSync(path.join(merged, 'src/a'), 'generated');
  });
  await one.apply();
  const applied = await one.now();
  const to = (name: string): string => path.join(one.project, name);
  const later: Readonly<Record<string, () => void>> = {
    'app/src/main.js': () => writeFileSync(to('app/src/main.js'), 'mine'),
    'app/src/new': () => writeFileSync(to('app/src/new'), ''),
    'app/empty': () => mkdirSync(to('app/empty')),
    app: () => chmodSync(to('app'), 0o700),
    'app/src': () => chmodSync(to('app/src'), 0o700),
    README: () => writeFileSync(to('README'), 'mine'),
    src: () => chmodSync(to('src'), 0o700),
    'src/b': () => symlinkSync('a', to('src/b')),
    'src/a': () => writeFileSync(to('src/a'), 'mine'),
  };
  for (const act of Object.values(later)) act();
  const before = await one.now();
  const refused = await undo(one.root, 'c1').catch((error: unknown) => error as { code: string; message: string });
  expect(refused).toMatchObject({ code: 'UNDO_CONFLICT' });
  const { message = '' } = typeof refused === 'object' ? refused : {};
  expect(message.split(': ')[1]?.split(', ').toSorted()).toEqual(
    Object.keys(later)
      .map((name) => to(name))
      .toSorted(),
  );
  expect(await one.now()).toEqual(before);
  // Forced it gives back what was there, and nothing of the later work is lost.
  const kept = new Map<string, string>();
  await undo(one.root, 'c1', { force: true, onKept: (each) => void kept.set(each.path, each.at) });
  expect([readFileSync(to('README'), 'utf8'), readFileSync(to('src/a'), 'utf8'), existsSync(to('app'))]).toEqual(['README\n', 'src/a\n', false]);
  expect([...kept.keys()].toSorted()).toEqual(['app', 'README', 'src', 'src/a', 'src/b'].map((name) => to(name)).toSorted());
  const content = (name: string, below = ''): string => readFileSync(path.join(kept.get(to(name)) ?? '', below), 'utf8');
  expect([content('app', 'src/main.js'), content('README'), content('src/a')]).toEqual(['mine', 'mine', 'mine']);
  expect(readdirSync(path.join(kept.get(to('app')) ?? ''))).toEqual(['empty', 'src']);
  expect(statSync(kept.get(to('src')) ?? '').mode & 0o777).toBe(0o700);
  // Until the next apply.
  await one.apply({ onConflict: 'ours' });
  expect(await one.now()).toEqual(applied);
  expect([...kept.values()].filter((place) => existsSync(place))).toEqual([]);
});

test('what an undo removes is kept until the next apply', async () => {
  await using at = scratch();
  const one = setup(at, filled);
  await one.change((merged) => writeFileSync(path.join(merged, 'new'), 'generated'));
  await one.apply();
  await undo(one.root, 'c1');
  const places = (): string[] =>
    readdirSync(path.join(one.root, 'applied/c1'), { recursive: true })
      .map(String)
      .filter((name) => name.includes('/new/'));
  expect(places().map((name) => readFileSync(path.join(one.root, 'applied/c1', name), 'utf8'))).toEqual(['generated']);
  await one.apply();
  expect(places()).toEqual([]);
});

test('what the host has removed, renamed or put back after an apply does not come back, or go, with the next one', async () => {
  await using at = scratch();
  const one = setup(at, filled);
  await one.change((merged) => {
    for (const name of ['made', 'made-too', 'src/a']) writeFileSync(path.join(merged, name), 'generated');
    mkdirSync(path.join(merged, 'dir/deep'), { recursive: true });
    writeFileSync(path.join(merged, 'dir/deep/file'), 'generated');
    unlinkSync(path.join(merged, 'README'));
  });
  await one.apply();
  const to = (name: string): string => path.join(one.project, name);
  renameSync(to('made'), to('made.kept'));
  unlinkSync(to('made-too'));
  renameSync(to('dir/deep/file'), to('dir/file'));
  writeFileSync(to('README'), 'mine');
  const before = await one.now();
  await expect(one.apply()).rejects.toMatchObject({ code: 'APPLY_CONFLICT' });
  const { conflicts } = await one.apply({ onConflict: 'ours', dryRun: true });
  expect(conflicts.map(({ name }) => name).toSorted()).toEqual(
    ['README', 'dir/deep/file', 'dir/file', 'made', 'made-too'].filter((name) => name !== 'dir/file'),
  );
  await one.apply({ onConflict: 'theirs' });
  expect(await one.now()).toEqual(before);
});

test('who chooses a directory that goes, chooses what is in it, and meets what the host put there', async () => {
  await using at = scratch();
  const one = setup(at, filled);
  await one.change((merged) => rmSync(path.join(merged, 'src'), { recursive: true }));
  writeFileSync(path.join(one.project, 'src/deep/mine'), 'mine');
  const select: ApplyOptions['select'] = (change) => change.path === '/p/src';
  await expect(one.apply({ select })).rejects.toMatchObject({ code: 'APPLY_CONFLICT', message: expect.stringContaining('/p/src/deep/mine') });
  await one.apply({ select, onConflict: 'theirs' });
  expect(readFileSync(path.join(one.project, 'src/deep/mine'), 'utf8')).toBe('mine');
});
