import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { type ScratchDirectory, scratch, storeScript } from '@lamella-test/scratch';
import { ociLayout, tarArchive } from '@lamella-test/tree';
import { expect, test } from 'vitest';
import { ImageStore } from '../index.js';

const INDEX = path.join(import.meta.dirname, '../../dist/index.js');
const script = (at: ScratchDirectory, body: string): string[] => storeScript(INDEX, at.join('store'), body);

/** Images that share layers, leaning ones among them: whatever one loses, another has to keep. */
function layouts(at: ScratchDirectory): string[] {
  const base = tarArchive([
    { name: 'dir/', type: '5', mode: 0o711 },
    { name: 'link', type: '2', linkname: 'dir' },
    { name: 'file', data: 'lower' },
  ]);
  const top = tarArchive([
    { name: 'link/inside', data: 'x' },
    { name: 'again', type: '1', linkname: 'file' },
  ]);
  return [0, 1, 2].map((i) => {
    ociLayout(at.join(`layout-${i}`), [base, tarArchive([{ name: `dir/own-${i}`, data: `${i}` }]), top]);
    return at.join(`layout-${i}`);
  });
}

test('loads, removals and prunings at once leave every image whole', { timeout: 120_000 }, async () => {
  await using at = scratch('tmpfs');
  const sources = layouts(at);
  const store = new ImageStore(at.join('store'));
  const worker = (i: number): string[] =>
    script(
      at,
      `for (let round = 0; round < 4; round++) {
        const name = 'image-' + ((round + ${i}) % 3);
        await store.load(${JSON.stringify(sources)}[(round + ${i}) % 3], { name });
        const { layers } = await store.resolve(name).catch((error) => { if (error.code !== 'IMAGE_NOT_FOUND') throw error; return { layers: [] }; });
        await store.prune();
        if (round % 2) await store.remove(name).catch((error) => { if (!['IMAGE_NOT_FOUND', 'IMAGE_IN_USE'].includes(error.code)) throw error; });
      }`,
    );
  await Promise.all([0, 1, 2].map((i) => promisify(execFile)(process.execPath, worker(i))));
  expect((await store.check()).problems).toEqual([]);
  for (const [i, source] of sources.entries()) await store.load(source, { name: `image-${i}` });
  for (let i = 0; i < 3; i++) {
    const { layers } = await store.resolve(`image-${i}`);
    const has = (name: string): boolean => layers.some((layer) => existsSync(path.join(layer.path, name)));
    expect([has(`dir/own-${i}`), has('again'), has('dir/inside')]).toEqual([true, true, true]);
    await store.remove(`image-${i}`);
  }
  for (const directory of ['layers', 'chains', 'rebased', 'images/blobs/sha256'])
    expect([directory, readdirSync(at.join('store', directory))]).toEqual([directory, []]);
});

test('what a killed load or removal leaves is collected by the next, and the images are whole', { timeout: 120_000 }, async () => {
  await using at = scratch('tmpfs');
  const sources = layouts(at);
  const store = new ImageStore(at.join('store'));
  await store.load(sources[0] as string, { name: 'kept' });
  for (let i = 0; i < 8; i++) {
    const body = `await store.load(${JSON.stringify(sources[1])}, { name: 'lost' }); console.log('loaded'); await store.remove('lost'); console.log('removed');`;
    const child = spawn(process.execPath, script(at, body), { stdio: ['ignore', 'pipe', 'inherit'] });
    // At other moments each time: while it loads, then while it removes.
    if (i % 2) await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
    await new Promise((resolve) => setTimeout(resolve, (i % 2 ? 0 : 120) + i * 9));
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    expect((await store.resolve('kept')).layers.length).toBeGreaterThan(2);
  }
  // Those who held locks for the dead end a moment later.
  for (let i = 0; i < 50; i++) {
    await store.remove('lost').catch((error: { code: string }) => expect(error.code).toBe('IMAGE_NOT_FOUND'));
    await store.sweep();
    await store.prune();
    if (readdirSync(at.join('store/layers')).length === 3) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect((await store.check()).problems).toEqual([]);
  await store.remove('kept');
  for (const directory of ['layers', 'chains', 'rebased', 'images/blobs/sha256'])
    expect([directory, readdirSync(at.join('store', directory))]).toEqual([directory, []]);
});
