import { ImageStore } from '@lamella/engine';
import { busyboxArchive, outlivingDirectory } from '@lamella-test/scratch';
import { beforeAll, expect } from 'vitest';
import { containerTest } from './index.js';

// Known before the tests are collected, as a store is. The file's own container goes after every hook.
const root = outlivingDirectory('container-test');
beforeAll(async () => {
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
});

let setups = 0;
const test = containerTest({
  root,
  image: 'busybox',
  async setup(container) {
    setups++;
    await container.sh('mkdir /db; echo "1 first" > /db/rows');
  },
});

test('begins with what was set up', async ({ container }) => {
  expect((await container.sh('cat /db/rows')).stdout).toBe('1 first');
  await container.sh('echo "2 second" >> /db/rows; echo x > /left-behind');
});

test('and with nothing of what another test did', async ({ container }) => {
  expect(await container.run(['ls', '/left-behind'])).toMatchObject({ exitCode: 1 });
  await container.sh('rm /db/rows');
  expect((await container.changes()).map(({ kind, path: where }) => `${kind} ${where}`)).toEqual(['added /db']);
  expect(setups).toBe(1);
});
