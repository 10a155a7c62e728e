import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { becomes, busyboxArchive, mountsBelow, requiresProgram, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { sweep } from '../api/sweep.js';
import { Containers, ImageStore, type StoredContainer } from '../index.js';
import { decide } from '../run/decide.js';
import { removeLater } from './checkpoint.js';
import { finishRollback } from './checkpoint-by-copy.js';
import { copyTrees } from './copy-trees.js';

let at: ScratchDirectory;
let root: string;
let containers: Containers;
beforeAll(async () => {
  at = scratch();
  root = at.join('store');
  containers = new Containers(root);
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
});
beforeEach((context) => requiresRoot(context));
afterEach(async () => {
  for (const { id } of await containers.list()) await (await containers.get(id)).remove({ force: true });
  // What a rollback took away is removed later, or by a sweep.
  const isDiscarded = (): boolean => readdirSync(path.join(root, 'containers')).some((name) => name.endsWith('-discarded'));
  if (!(await becomes(() => !isDiscarded(), 2))) await sweep(root);
  expect(readdirSync(path.join(root, 'containers')).filter((name) => !name.startsWith('.'))).toEqual([]);
  expect(readdirSync(path.join(root, 'frozen'))).toEqual([]);
  expect(mountsBelow(at.path)).toEqual([]);
  for (const name of readdirSync(at.path)) if (name !== 'store') rmSync(at.join(name), { recursive: true, force: true });
});
afterAll(() => at[Symbol.asyncDispose]());

const LONG = process.env.LAMELLA_LONG !== undefined;

/** What is in a tree, by path, except the store in it. Times are left out. */
function treeOf(top: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const look = (below: string): void => {
    for (const name of readdirSync(path.join(top, below)).toSorted()) {
      const where = path.join(below, name);
      const file = path.join(top, where);
      if (file === root) continue;
      const stats = lstatSync(file);
      const content = stats.isSymbolicLink() ? readlinkSync(file) : stats.isFile() ? readFileSync(file, 'latin1') : '';
      found.set(where, [stats.isSymbolicLink() ? 'link' : stats.mode.toString(8), stats.uid, content].join(' '));
      if (stats.isDirectory()) look(where);
    }
  };
  look('');
  return found;
}

function differences(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  return [...new Set([...before.keys(), ...after.keys()])].toSorted().flatMap((name) => {
    const [was, is] = [before.get(name), after.get(name)];
    return was === is ? [] : [`${was === undefined ? 'added' : is === undefined ? 'deleted' : 'modified'} ${name}`];
  });
}

const changesIn = async (container: StoredContainer, top: string): Promise<string[]> =>
  (await Array.fromAsync(container.changes()))
    .filter(({ aspects }) => aspects.join() !== 'mtime')
    .map(({ kind, path: where }) => `${kind} ${path.relative(top, where)}`)
    .toSorted();

const NAMES = ['a', 'b', 'd', 'd/x', 'd/y', 'e', 'e/f', 'e/f/g'] as const;
const name = fc.constantFrom(...NAMES);
const line = fc.oneof(
  fc.tuple(name, fc.nat(9)).map(([file, n]) => `echo ${n} >${file}`),
  name.map((file) => `echo more >>${file}`),
  name.map((directory) => `mkdir ${directory}`),
  name.map((file) => `rm -rf ${file}`),
  fc.tuple(name, name).map(([from, to]) => `mv -T ${from} ${to}`),
  fc.tuple(name, fc.constantFrom('600', '755', '700')).map(([file, mode]) => `chmod ${mode} ${file}`),
  fc.tuple(name, name).map(([target, link]) => `ln -sn ${target} ${link}`),
);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.array(line, { minLength: 1, maxLength: 5 }).map((lines) => ({ do: 'run' as const, lines })) },
  { weight: 2, arbitrary: fc.constant({ do: 'checkpoint' as const }) },
  { weight: 2, arbitrary: fc.option(fc.nat(5)).map((to) => ({ do: 'rollback' as const, to })) },
  { weight: 1, arbitrary: fc.constant({ do: 'fork' as const }) },
);

test('whatever is done between checkpoints, forks and rollbacks of a try, its changes are what is done without Lamella', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: LONG ? 12 : 8 }), async (steps) => {
      const project = at.join('project');
      const begin = at.join('begin');
      const sh = (directory: string, lines: string): void => void spawnSync('sh', ['-c', `umask 022; cd ${directory}; ${lines}`]);
      for (const each of readdirSync(at.path)) if (each !== 'store') rmSync(at.join(each), { recursive: true });
      mkdirSync(project);
      sh(project, 'mkdir -p d/x e/f; echo a >a; echo 1 >d/x/1; echo f >e/f/g; ln -s a l');
      const copy = (from: string, to: string): string => {
        // Node's own forgets the modes of directories.
        expect(spawnSync('cp', ['-a', from, to]).status).toBe(0);
        return to;
      };
      copy(project, begin);
      let native = copy(begin, at.join('native'));
      let copies = 0;
      const states: { readonly id: string; readonly tree: string }[] = [];
      const script = (lines: readonly string[]): string => `umask 022; cd ${project}; { ${['true', ...lines].join('\n')}\n} 2>/dev/null; true`;
      const first = await containers.try({ args: ['sh', '-c', script([])], cwd: '/', env: { PATH: process.env.PATH } });
      await first.result;
      let container = await containers.get(first.id);
      for (const each of steps) {
        if (each.do === 'run') {
          await (await container.run({ args: ['sh', '-c', script(each.lines)] })).result;
          sh(native, `{ ${each.lines.join('\n')}\n} 2>/dev/null`);
        } else if (each.do === 'checkpoint') states.push({ id: (await container.checkpoint()).id, tree: copy(native, at.join(`state-${copies++}`)) });
        else if (each.do === 'rollback') {
          const to = each.to === null ? undefined : states[each.to % Math.max(1, states.length)];
          await container.rollback(to?.id ?? null);
          native = copy(to?.tree ?? begin, at.join(`native-${copies++}`));
        } else {
          const [fork] = await container.fork();
          await container.remove();
          container = fork as StoredContainer;
        }
        expect(await changesIn(container, project)).toEqual(differences(treeOf(begin), treeOf(native)).toSorted());
      }
      if (differences(treeOf(begin), treeOf(native)).length) await container.apply();
      expect(treeOf(project)).toEqual(treeOf(native));
      await container.remove();
    }),
    { numRuns: LONG ? 500 : 4, endOnFailure: true },
  );
}, 3_600_000);

test('an overlay of a directory that the store is in has states, too', async () => {
  mkdirSync(at.join('project'));
  writeFileSync(at.join('project/file'), 'host\n');
  const before = treeOf(at.path);
  const one = await containers.create({ image: 'busybox', volumes: [{ source: at.path, destination: '/all', overlay: true }] });
  const sh = async (which: StoredContainer, script: string): Promise<string> => String((await (await which.run({ args: ['sh', '-c', script] })).result).stdout);
  const listed = async (which: StoredContainer): Promise<string[]> =>
    (await Array.fromAsync(which.changes())).map(({ kind, path: where }) => `${kind} ${where}`);
  await sh(one, 'echo 1 >/image; echo 1 >/all/project/new');
  const { id } = await one.checkpoint();
  await sh(one, 'echo 2 >/image; rm /all/project/file');
  expect(await listed(one)).toEqual(['added /image', 'deleted /all/project/file', 'added /all/project/new']);
  const [fork] = await one.fork();
  await one.rollback(id);
  expect(await listed(one)).toEqual(['added /image', 'added /all/project/new']);
  expect([await sh(one, 'cat /image /all/project/*'), await sh(fork as StoredContainer, 'cat /image; ls /all/project')]).toEqual(['1\nhost\n1', '2\nnew']);
  expect((await one.history()).current).toBe(id);
  await one.rollback(null);
  expect(await listed(one)).toEqual([]);
  expect(treeOf(at.path)).toEqual(before);
  await fork?.apply();
  expect([...treeOf(at.join('project')).keys()]).toEqual(['new']);
});

test('what is mounted below the directory of an overlay is in no listing', async (context) => {
  requiresProgram(context, 'mount');
  mkdirSync(at.join('project/disk/below'), { recursive: true });
  writeFileSync(at.join('project/disk/hidden'), '');
  expect(spawnSync('mount', ['-t', 'tmpfs', 'lamella-test', at.join('project/disk')]).status).toBe(0);
  try {
    writeFileSync(at.join('project/disk/precious'), 'precious\n');
    const one = await containers.create({ image: 'busybox', volumes: [{ source: at.join('project'), destination: '/p', overlay: true }] });
    const listed = async (): Promise<string[]> => (await Array.fromAsync(one.changes())).map(({ kind, path: where }) => `${kind} ${where}`);
    await (await one.run({ args: ['sh', '-c', 'echo 1 >/p/disk/new; chmod 711 /p/disk/below'] })).result;
    expect(await listed()).toEqual(['modified /p/disk/below', 'added /p/disk/new']);
    await one.checkpoint();
    expect(await listed()).toEqual(['modified /p/disk/below', 'added /p/disk/new']);
    await (await one.run({ args: ['rm', '-r', '/p/disk'] })).result;
    expect(await listed()).toEqual(['deleted /p/disk', 'deleted /p/disk/below', 'deleted /p/disk/hidden']);
    await expect(one.apply()).rejects.toMatchObject({ code: expect.stringMatching(/^APPLY_/) });
    expect(readFileSync(at.join('project/disk/precious'), 'utf8')).toBe('precious\n');
  } finally {
    spawnSync('umount', [at.join('project/disk')]);
  }
});

test('an overlay of a mount has states', async (context) => {
  requiresProgram(context, 'mount');
  mkdirSync(at.join('disk'));
  expect(spawnSync('mount', ['-t', 'tmpfs', 'lamella-test', at.join('disk')]).status).toBe(0);
  try {
    writeFileSync(at.join('disk/file'), 'host\n');
    const one = await containers.create({ image: 'busybox', volumes: [{ source: at.join('disk'), destination: '/p', overlay: true }] });
    const listed = async (): Promise<string[]> => (await Array.fromAsync(one.changes())).map(({ kind, path: where }) => `${kind} ${where}`);
    await (await one.run({ args: ['rm', '/p/file'] })).result;
    await one.checkpoint();
    await (await one.run({ args: ['touch', '/p/new'] })).result;
    expect(await listed()).toEqual(['deleted /p/file', 'added /p/new']);
    await one.rollback();
    expect(await listed()).toEqual(['deleted /p/file']);
  } finally {
    spawnSync('umount', [at.join('disk')]);
  }
});

test('a try that runs is frozen and forked, and is taken back only at rest', async () => {
  mkdirSync(at.join('project'));
  const args = ['sh', '-c', `cd ${at.join('project')}; echo 1 >file; while ! [ -e stop ]; do sleep 0.05; done`];
  const running = await containers.try({ args, cwd: at.join('project'), env: { PATH: process.env.PATH } });
  await running.started;
  const one = await containers.get(running.id);
  while (!(await Array.fromAsync(one.changes())).length) await new Promise((resolve) => setTimeout(resolve, 20));
  const { id } = await one.checkpoint();
  const [fork] = await one.fork();
  await expect(one.rollback()).rejects.toMatchObject({ code: 'CHECKPOINT_BUSY' });
  running.kill('SIGKILL');
  await running.result;
  await (await one.run({ args: ['sh', '-c', `rm ${at.join('project/file')}`] })).result;
  expect(await changesIn(one, at.join('project'))).toEqual([]);
  expect(await changesIn(fork as StoredContainer, at.join('project'))).toEqual(['added file']);
  await one.rollback(id);
  expect(await changesIn(one, at.join('project'))).toEqual(['added file']);
});

test('a rollback that a crash interrupts is finished by who looks next', async () => {
  mkdirSync(at.join('project'));
  const sh = async (container: StoredContainer, script: string): Promise<unknown> =>
    (await container.run({ args: ['sh', '-c', `cd ${at.join('project')}; ${script}`] })).result;
  const first = await containers.try({ args: ['true'], cwd: at.path, env: { PATH: process.env.PATH } });
  await first.result;
  const one = await containers.get(first.id);
  await sh(one, 'echo 1 >file');
  const { id } = await one.checkpoint();
  await sh(one, 'echo 2 >other');
  // As it is after its decision, and before its first step.
  const next = path.join(root, 'containers', one.id, 'next');
  mkdirSync(`${next}.staged`);
  await copyTrees(
    readdirSync(path.join(root, 'frozen', id))
      .filter((each) => each.startsWith('upper'))
      .map((each) => [path.join(root, 'frozen', id, each), path.join(`${next}.staged`, each)] as const),
  );
  symlinkSync(id, path.join(`${next}.staged`, 'at'));
  renameSync(`${next}.staged`, next);
  expect(await changesIn(one, at.join('project'))).toEqual(['added file']);
  expect(statSync(next, { throwIfNoEntry: false })).toBeUndefined();
  expect((await one.history()).current).toBe(id);
});

test('a rollback empties the overlays that came after the checkpoint', async (context) => {
  requiresProgram(context, 'mount');
  for (const name of ['project', 'first', 'second']) mkdirSync(at.join(name));
  const mount = (name: string): void => void expect(spawnSync('mount', ['-t', 'tmpfs', 'lamella-test', at.join(name)]).status).toBe(0);
  const listed = async (which: StoredContainer): Promise<string[]> => (await changesIn(which, at.path)).filter((each) => !each.includes('/.'));
  try {
    const first = await containers.try({ args: ['sh', '-c', `echo 1 >${at.join('project/one')}`], cwd: '/', env: { PATH: process.env.PATH } });
    await first.result;
    const one = await containers.get(first.id);
    const before = (await one.checkpoint()).id;
    mount('first');
    const write = async (...files: string[]): Promise<unknown> =>
      (await one.run({ args: ['sh', '-c', files.map((file) => `echo 2 >${at.join(file)}`).join('; ')] })).result;
    await write('first/two', 'project/two');
    // The config that was read is that of before.
    const again = await containers.get(one.id);
    expect(await listed(again)).toEqual(['added first/two', 'added project/one', 'added project/two']);
    const between = (await again.checkpoint()).id;
    mount('second');
    await (await again.run({ args: ['sh', '-c', `echo 3 >${at.join('second/three')}; rm ${at.join('first/two')}`] })).result;
    const last = await containers.get(one.id);
    expect(await listed(last)).toEqual(['added project/one', 'added project/two', 'added second/three']);
    await last.rollback(between);
    expect(await listed(last)).toEqual(['added first/two', 'added project/one', 'added project/two']);
    await last.rollback(before);
    expect(await listed(last)).toEqual(['added project/one']);
    await (await last.run({ args: ['sh', '-c', `echo 4 >${at.join('second/four')}; ls ${at.join('first')}`] })).result;
    expect(await listed(last)).toEqual(['added project/one', 'added second/four']);
    // Also where the mount is gone by then.
    spawnSync('umount', [at.join('second')]);
    await last.rollback(before);
    expect(await listed(last)).toEqual(['added project/one']);
    await last.rollback(null);
    expect(await listed(last)).toEqual([]);
  } finally {
    for (const name of ['first', 'second']) spawnSync('umount', [at.join(name)]);
  }
});

test('the last step of a rollback is one rename, so that a crash cannot lose where it leads to', async () => {
  mkdirSync(at.join('project'));
  const first = await containers.try({ args: ['sh', '-c', `echo 1 >${at.join('project/file')}`], cwd: at.path, env: { PATH: process.env.PATH } });
  await first.result;
  const one = await containers.get(first.id);
  const { id } = await one.checkpoint();
  const record = { containers: path.join(root, 'containers'), id: one.id };
  const next = path.join(root, 'containers', one.id, 'next');
  mkdirSync(next);
  symlinkSync(id, path.join(next, 'at'));
  // What is under way is finished with what is left of it, again and again: `at` goes away with all the rest only.
  const trash = await finishRollback(record);
  expect(readlinkSync(path.join(root, 'containers', trash.id, 'next/at'))).toBe(id);
  expect(statSync(next, { throwIfNoEntry: false })).toBeUndefined();
  expect((await one.history()).current).toBe(id);
  removeLater(trash);
});

test('a config that changes is on the disk before it takes the place of the old one', async (context) => {
  requiresProgram(context, 'mount');
  mkdirSync(at.join('late'));
  const first = await containers.try({ args: ['true'], cwd: '/', env: { PATH: process.env.PATH } });
  await first.result;
  const file = path.join(root, 'containers', first.id, 'config.json');
  const run = async (): Promise<bigint> => {
    await (await (await containers.get(first.id)).run({ args: ['true'] })).result;
    return statSync(file, { bigint: true }).ino;
  };
  const writing = async (): Promise<readonly string[]> => {
    const { config } = await containers.get(first.id);
    const { program } = await decide({ ...config.spec, args: ['true'] }, {}, root, { again: config });
    const from = program.findIndex((op) => 'pathname' in op && op.pathname === `${file}.next`);
    return from < 0 ? [] : program.slice(from, from + 5).map(({ op }) => op);
  };
  // Other tests mount meanwhile, and then a view of the host is another one.
  const isKept = async (): Promise<boolean> => {
    const kept = await run();
    return (await run()) === kept && (await writing()).length === 0;
  };
  expect(await becomes(isKept)).toBe(true);
  const written = statSync(file, { bigint: true }).ino;
  expect(spawnSync('mount', ['-t', 'tmpfs', 'lamella-test', at.join('late')]).status).toBe(0);
  try {
    expect(await writing()).toEqual(['write_file', 'openat', 'fsync', 'close', 'renameat2']);
    expect(await run()).not.toBe(written);
    expect(await becomes(isKept)).toBe(true);
  } finally {
    spawnSync('umount', [at.join('late')]);
  }
});

test('where no space is left for a copy, nothing is changed', async (context) => {
  requiresProgram(context, 'mount');
  mkdirSync(at.join('small'));
  mkdirSync(at.join('project'));
  expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'lamella-test', at.join('small')]).status).toBe(0);
  try {
    const few = new Containers(at.join('small/store'));
    const first = await few.try({ args: ['sh', '-c', `head -c 2000000 /dev/zero >${at.join('project/big')}`], cwd: '/', env: { PATH: process.env.PATH } });
    await first.result;
    const one = await few.get(first.id);
    for (const command of [() => one.checkpoint(), () => one.fork()]) await expect(command()).rejects.toMatchObject({ code: 'NO_SPACE' });
    expect((await one.history()).checkpoints).toEqual([]);
    expect(await few.list()).toHaveLength(1);
    expect(readdirSync(at.join('small/store/frozen'))).toEqual([]);
    expect(await changesIn(one, at.join('project'))).toEqual(['added big']);
    await one.remove();
  } finally {
    spawnSync('umount', ['-l', at.join('small')]);
  }
});
