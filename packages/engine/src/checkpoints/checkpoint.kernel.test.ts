import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { busyboxArchive, mountsBelow, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { Containers, ImageStore, type StoredContainer, sweep } from '../index.js';

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
  await sweep(root);
  expect(readdirSync(path.join(root, 'containers')).filter((name) => !name.startsWith('.'))).toEqual([]);
  expect(existsSync(path.join(root, 'frozen')) ? readdirSync(path.join(root, 'frozen')) : []).toEqual([]);
  expect(mountsBelow(at.path)).toEqual([]);
});
afterAll(() => at[Symbol.asyncDispose]());

const sh = async (container: StoredContainer, script: string): Promise<string> => {
  const { stdout, stderr } = await (await container.run({ args: ['sh', '-c', script] })).result;
  return `${String(stdout)}${String(stderr)}`;
};
const changed = async (container: StoredContainer): Promise<string[]> =>
  (await Array.fromAsync(container.changes())).map(({ kind, path: where }) => `${kind} ${where}`);

test('what is run in a container adds up, and goes back to any checkpoint', async () => {
  const one = await containers.create({ image: 'busybox' });
  await sh(one, 'echo 1 > /a; chmod 700 /');
  const first = await one.checkpoint('first');
  await sh(one, 'echo 2 > /a; rm -r /home; mkdir -p /etc/new');
  const second = await one.checkpoint();
  await sh(one, 'rm /a; echo 3 > /etc/new/b');
  // All that it did since its image counts, not the last upper only.
  expect(await changed(one)).toEqual(['added /etc/new', 'added /etc/new/b', 'deleted /home']);
  await one.rollback();
  expect(await sh(one, 'cat /a; ls -d /home; stat -c %a /')).toBe('2\n700ls: /home: No such file or directory');
  await one.rollback(first.id.slice(0, 6));
  expect(await sh(one, 'cat /a; ls -d /home')).toBe('1\n/home');
  // Forwards again: what was frozen stays.
  await one.rollback(second.id);
  expect(await sh(one, 'cat /a')).toBe('2');
  expect((await one.history()).checkpoints.map(({ id, parent, message }) => [id, parent, message])).toEqual([
    [first.id, undefined, 'first'],
    [second.id, first.id, undefined],
  ]);
  await one.rollback(null);
  expect(await changed(one)).toEqual([]);
  await expect(one.rollback('nothing')).rejects.toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' });
});

test('a hundred forks go on by themselves, at the same time', async () => {
  const one = await containers.create({ image: 'busybox' });
  await sh(one, 'echo common > /a');
  const forks = await one.fork(100);
  const said = await Promise.all(forks.map((each, i) => sh(each, `echo own ${i} > /b; rm -r /home; cat /a /b`)));
  expect(said).toEqual(forks.map((_, i) => `common\nown ${i}`));
  expect(await changed(one)).toEqual(['added /a']);
  // The one they came from may go.
  await one.remove();
  const [any] = forks;
  expect(await sh(any as StoredContainer, 'cat /a')).toBe('common');
}, 120_000);

test('names of forks are taken once, and all forks are made or none', async () => {
  const one = await containers.create({ image: 'busybox', name: 'one' });
  const [left] = await one.fork(['left']);
  expect((await containers.get('left')).id).toBe(left?.id);
  await expect(one.fork(['right', 'left'])).rejects.toMatchObject({ code: 'CONTAINER_EXISTS' });
  await expect(containers.get('right')).rejects.toMatchObject({ code: 'CONTAINER_NOT_FOUND' });
  await one.fork(['right']);
});

test('one that runs is refused while a process holds on to it', async () => {
  const { container } = await containers.run({ image: 'busybox', args: ['sh', '-c', 'cd /tmp; while true; do sleep 0.1; done'] });
  for (const attempt of [() => container.checkpoint(), () => container.rollback(null), () => container.fork()])
    await expect(attempt()).rejects.toMatchObject({ code: 'CHECKPOINT_BUSY' });
  await expect((await container.run({ args: ['true'] })).result).rejects.toMatchObject({ code: 'CONTAINER_RUNNING' });
});

test('checkpoints at the same time come one after the other', async () => {
  const one = await containers.create({ image: 'busybox' });
  await sh(one, 'echo 1 > /a');
  await Promise.all(Array.from({ length: 8 }, (_, i) => one.checkpoint(`${i}`)));
  const { checkpoints, current } = await one.history();
  expect(checkpoints.length).toBe(8);
  // One line, from the last to the first.
  const byId = new Map(checkpoints.map((each) => [each.id, each]));
  let length = 0;
  for (let at = current; at !== undefined; at = byId.get(at)?.parent) length++;
  expect(length).toBe(8);
  expect(await sh(one, 'cat /a')).toBe('1');
});

test('checkpoints and forks at the same time come one after the other', async () => {
  const one = await containers.create({ image: 'busybox' });
  await sh(one, 'echo here > /a');
  const [forks, made] = await Promise.all([
    Promise.all(Array.from({ length: 6 }, () => one.fork())),
    Promise.all(Array.from({ length: 4 }, () => one.checkpoint())),
  ]);
  expect(made).toHaveLength(4);
  for (const fork of forks.flat()) expect(await sh(fork, 'cat /a')).toBe('here');
  expect(await sh(one, 'cat /a')).toBe('here');
});

test('overlay volumes are frozen with it, and keep their owner and mode', async () => {
  const project = at.join('project');
  mkdirSync(project);
  writeFileSync(path.join(project, 'file'), 'host\n');
  const one = await containers.create({ image: 'busybox', volumes: [{ source: project, destination: '/p', overlay: true }] });
  expect(await sh(one, 'chmod 711 /p; echo 1 > /p/file')).toBe('');
  await one.checkpoint();
  await sh(one, 'echo 2 > /p/other');
  const [fork] = await one.fork();
  expect(await sh(fork as StoredContainer, 'cat /p/file /p/other; stat -c %a /p')).toBe('1\n2\n711');
  await one.rollback((await one.history()).checkpoints[0]?.id);
  expect(await sh(one, 'cat /p/*')).toBe('1');
  await (fork as StoredContainer).apply();
  expect(readdirSync(project).toSorted()).toEqual(['file', 'other']);
  expect(readFileSync(path.join(project, 'file'), 'utf8')).toBe('1\n');
});

test('a checkpoint that a crash interrupts is whole, or not made', async () => {
  const one = await containers.create({ image: 'busybox' });
  await sh(one, 'echo 1 > /a');
  const { id } = await one.checkpoint();
  await sh(one, 'echo 2 > /b');
  // Made, but the upper was not moved: as after a power cut between two of its steps.
  const directory = path.dirname(one.upper);
  const state = path.join(root, 'frozen', 'aaaaaaaaaaaa');
  mkdirSync(state);
  symlinkSync(id, path.join(state, 'parent'));
  symlinkSync('aaaaaaaaaaaa', path.join(directory, 'history/aaaaaaaaaaaa'));
  symlinkSync('aaaaaaaaaaaa', path.join(directory, 'frozen.next'));
  renameSync(path.join(directory, 'frozen.next'), path.join(directory, 'frozen'));
  expect(await sh(one, 'cat /a /b')).toBe('1\n2');
  expect(readdirSync(path.join(state, 'upper'))).toEqual(['b']);
  // The upper was moved, but a new one is still missing.
  rmSync(one.upper, { recursive: true });
  expect(await changed(one)).toEqual(['added /a', 'added /b']);
  expect(statSync(one.upper).isDirectory()).toBe(true);
});

test('a commit of several checkpoints is an image with a layer for each', async () => {
  const one = await containers.create({ image: 'busybox' });
  await sh(one, 'echo 1 > /a; echo x > /x');
  await one.checkpoint();
  await sh(one, 'rm /x; rm -r /home; mkdir /home; echo 2 > /home/b');
  const made = await one.commit('made:1', { timestamp: 12345, changes: ['CMD ["cat", "/a", "/home/b"]'], message: 'both' });
  expect(made.layers).toHaveLength(2);
  expect((await one.commit('made:2', { timestamp: 12345, changes: ['CMD ["cat", "/a", "/home/b"]'], message: 'both' })).digest).toBe(made.digest);
  const again = await containers.create({ image: 'made:1' });
  expect(await sh(again, 'cat /a /home/b; ls /x; ls /home')).toBe('1\n2\nbls: /x: No such file or directory');
  await again.remove();
  await one.remove();
  for (const name of ['made:1', 'made:2']) await new ImageStore(root).remove(name);
});
