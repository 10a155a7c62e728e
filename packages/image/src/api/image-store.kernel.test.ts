import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { lockFile, run } from '@lamella/syscall';
import { type ScratchDirectory, scratch, storeScript } from '@lamella-test/scratch';
import { describeTree, type Member, tarArchive, treeLines } from '@lamella-test/tree';
import { describe, expect, test } from 'vitest';
import { ImageStore } from '../index.js';

const MEMBERS: Member[] = [
  { name: 'etc/', type: '5' },
  { name: 'etc/file', data: 'content' },
  { name: 'bin/sh', data: '#!', mode: 0o755 },
];

function archiveIn(at: ScratchDirectory, name = 'image.tar', members = MEMBERS): string {
  const file = at.join(name);
  writeFileSync(file, name.endsWith('.gz') ? gzipSync(tarArchive(members)) : tarArchive(members));
  return file;
}

/** Every file of a store that stays, so that two states can be compared. */
function contents(at: ScratchDirectory): string[] {
  return readdirSync(at.join('store'), { recursive: true, encoding: 'utf8' })
    .filter((name) => !/^(locks|imports)/.test(name))
    .sort();
}

const INDEX = path.join(import.meta.dirname, '../../dist/index.js');
const script = (at: ScratchDirectory, body: string): string[] => storeScript(INDEX, at.join('store'), body);

test('an archive is imported once, listed, resolved and removed', async () => {
  await using at = scratch();
  const store = new ImageStore(at.join('store'));
  const file = archiveIn(at, 'image.tar.gz');
  const first = await store.import(file, 'team/app:1');
  expect(first).toMatchObject({ reused: false, warnings: [], digest: expect.stringMatching(/^sha256:/) });
  expect(await store.import(file, 'team/app:2')).toMatchObject({ reused: true, diffID: first.diffID });
  expect(await store.import(createReadStream(file), 'other')).toMatchObject({ reused: false, diffID: first.diffID });
  expect((await store.list()).map(({ reference }) => reference.path)).toEqual(['library/other', 'team/app', 'team/app']);
  const image = await store.resolve('team/app:1');
  expect(readFileSync(path.join(image.layers[0]?.path ?? '', 'etc/file'), 'utf8')).toBe('content');
  expect(readdirSync(at.join('store/layers'))).toHaveLength(1);

  expect(await store.remove('team/app:1')).toMatchObject({ layers: [] });
  expect(await store.remove('other')).toMatchObject({ layers: [] });
  expect(await store.remove('team/app:2')).toMatchObject({ layers: [first.diffID] });
  expect([readdirSync(at.join('store/layers')), readdirSync(at.join('store/images/blobs/sha256')), await store.list()]).toEqual([[], [], []]);
  await expect(store.remove('other')).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
  await expect(store.resolve('other')).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND', hint: expect.stringContaining('import') });
});

test('the store is an OCI image layout: index, manifest, config and layer by digest', async () => {
  await using at = scratch();
  await new ImageStore(at.join('store')).import(archiveIn(at), 'app');
  const images = at.join('store/images');
  const json = (digest: string) => JSON.parse(readFileSync(path.join(images, 'blobs', digest.replace(':', '/')), 'utf8'));
  expect(JSON.parse(readFileSync(path.join(images, 'oci-layout'), 'utf8'))).toEqual({ imageLayoutVersion: '1.0.0' });
  const [descriptor] = JSON.parse(readFileSync(path.join(images, 'index.json'), 'utf8')).manifests;
  const manifest = json(descriptor.digest);
  const config = json(manifest.config.digest);
  expect(manifest).toMatchObject({ schemaVersion: 2, layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar' }] });
  expect(config).toMatchObject({ os: 'linux', rootfs: { type: 'layers', diff_ids: [manifest.layers[0].digest] } });
});

test('an image of the same name is replaced, and what only the old one had goes', async () => {
  await using at = scratch();
  const store = new ImageStore(at.join('store'));
  const before = await store.import(archiveIn(at, 'a.tar'), 'app');
  const after = await store.import(archiveIn(at, 'b.tar', [{ name: 'other', data: 'x' }]), 'app');
  expect(after.diffID).not.toBe(before.diffID);
  expect(readdirSync(at.join('store/layers'))).toEqual([after.diffID.slice(7)]);
});

test('a file that changed is another, even of the same length', async () => {
  await using at = scratch();
  const store = new ImageStore(at.join('store'));
  const file = archiveIn(at);
  const { diffID } = await store.import(file, 'app');
  writeFileSync(file, tarArchive(MEMBERS.map((member) => (member.data === 'content' ? { ...member, data: 'c0ntent' } : member))));
  utimesSync(file, new Date(), new Date());
  expect((await store.import(file, 'app')).diffID).not.toBe(diffID);
});

test('many processes that ask at once unpack once', { timeout: 60_000 }, async () => {
  await using at = scratch();
  const file = archiveIn(at);
  const imports = Array.from({ length: 6 }, (_, i) =>
    promisify(execFile)(process.execPath, script(at, `console.log((await store.import(${JSON.stringify(file)}, 'app:${i}')).reused);`)),
  );
  const outcomes = (await Promise.all(imports)).map(({ stdout }) => stdout.trim());
  expect(outcomes.toSorted()).toEqual(['false', 'true', 'true', 'true', 'true', 'true']);
  expect(await new ImageStore(at.join('store')).list()).toHaveLength(6);
  expect(readdirSync(at.join('store/layers'))).toHaveLength(1);
});

test('an import that fails leaves the store as it was', async () => {
  await using at = scratch();
  const store = new ImageStore(at.join('store'));
  await store.import(archiveIn(at), 'app');
  const before = contents(at);
  const bad = at.join('bad.tar');
  writeFileSync(
    bad,
    tarArchive([
      { name: 'fine', data: 'x' },
      { name: '../out', data: 'x' },
    ]),
  );
  await expect(store.import(bad, 'app')).rejects.toMatchObject({ code: 'LAYER_PATH_ESCAPES' });
  await expect(store.import(Readable.from([Buffer.from('nonsense'.repeat(99))]), 'new')).rejects.toMatchObject({ code: 'TAR_INVALID' });
  await expect(store.import(at.join('missing'), 'new')).rejects.toMatchObject({ code: 'ARCHIVE_UNREADABLE', hint: expect.any(String) });
  await expect(store.import(at.path, 'new')).rejects.toMatchObject({ code: 'ARCHIVE_UNREADABLE', hint: expect.stringContaining('tar -C') });
  expect(contents(at)).toEqual(before);
});

test('an import that is killed leaves nothing that the next does not clear', { timeout: 60_000 }, async () => {
  await using at = scratch();
  const body = `
    import { Readable } from 'node:stream';
    const first = Buffer.from(${JSON.stringify(tarArchive([{ name: 'big', size: 2 ** 30 }], { end: false }).toString('base64'))}, 'base64');
    await store.import(Readable.from((async function* () { yield first; for (;;) { yield Buffer.alloc(65536); await new Promise((r) => setTimeout(r, 2)); } })()), 'app');`;
  const child = spawn(process.execPath, script(at, body), { stdio: ['ignore', 'ignore', 'inherit'] });
  const unpacking = (): string[] => (existsSync(at.join('store/layers')) ? readdirSync(at.join('store/layers')) : []);
  while (!unpacking().some((name) => existsSync(at.join('store/layers', name, 'fs/big')))) await new Promise((resolve) => setTimeout(resolve, 10));
  child.kill('SIGKILL');
  await once(child, 'exit');
  const store = new ImageStore(at.join('store'));
  await store.import(archiveIn(at), 'app');
  for (let i = 0; i < 100 && readdirSync(at.join('store/layers')).length > 1; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    await store.sweep();
  }
  expect(readdirSync(at.join('store/layers')).filter((name) => name.startsWith('.'))).toEqual([]);
  expect(await store.sweep()).toBe(0);
});

test('a layer in use is not removed, nor is its image', async () => {
  await using at = scratch();
  const store = new ImageStore(at.join('store'));
  await store.import(archiveIn(at), 'app');
  const { layers } = await store.resolve('app');
  {
    await using _held = await lockFile(layers[0]?.lock ?? '', { create: false });
    await expect(store.remove('app')).rejects.toMatchObject({ code: 'IMAGE_IN_USE', hint: expect.any(String) });
    // Another archive takes its name: the old layer stays until nobody stands on it.
    await store.import(archiveIn(at, 'b.tar', [{ name: 'other', data: 'x' }]), 'app');
    expect(readdirSync(at.join('store/layers'))).toHaveLength(2);
  }
  await store.import(archiveIn(at, 'c.tar', [{ name: 'third', data: 'x' }]), 'app');
  expect(readdirSync(at.join('store/layers'))).toHaveLength(1);
});

describe('after a power cut', () => {
  /** As if the machine had been started anew since. */
  function forgetBoot(at: ScratchDirectory): void {
    for (const name of readdirSync(at.join('store/layers'))) {
      const meta = at.join('store/layers', name, 'meta.json');
      writeFileSync(meta, readFileSync(meta, 'utf8').replace(/"bootId":"[^"]*"/, '"bootId":"another"'));
    }
  }

  test('a layer that may have lost something is unpacked anew', async () => {
    await using at = scratch();
    const store = new ImageStore(at.join('store'));
    await store.import(archiveIn(at), 'app');
    const tree = (await store.resolve('app')).layers[0]?.path ?? '';
    // A directory that the archive only implies is as old as its unpacking.
    const without = { without: ['mtime'] } as const;
    const before = treeLines(await describeTree(tree), without);
    truncateSync(path.join(tree, 'etc/file'), 0);
    rmSync(path.join(tree, 'bin'), { recursive: true });
    forgetBoot(at);
    expect(treeLines(await describeTree((await store.resolve('app')).layers[0]?.path ?? ''), without)).toEqual(before);
  });

  test('a torn meta file, or a missing layer, is made anew from its blob', async () => {
    await using at = scratch();
    const store = new ImageStore(at.join('store'));
    const { diffID } = await store.import(archiveIn(at, 'image.tar.gz'), 'app');
    const layer = at.join('store/layers', diffID.slice(7));
    writeFileSync(path.join(layer, 'meta.json'), '{"version":1,"di');
    await store.resolve('app');
    await run([{ op: 'rmtree', dirfd: -100, pathname: layer }]);
    await store.resolve('app');
    expect(readFileSync(path.join(layer, 'fs/etc/file'), 'utf8')).toBe('content');
  });

  test('a damaged blob, manifest or index is told by its file, and the image can be removed', async () => {
    await using at = scratch();
    const store = new ImageStore(at.join('store'));
    const { digest, diffID } = await store.import(archiveIn(at), 'app');
    const manifest = at.join('store/images/blobs/sha256', digest.slice(7));
    const whole = readFileSync(manifest);
    writeFileSync(manifest, whole.subarray(0, 10));
    await expect(store.resolve('app')).rejects.toMatchObject({ code: 'STORE_CORRUPT', message: expect.stringContaining(manifest), hint: expect.any(String) });
    writeFileSync(manifest, whole);
    const blob = at.join('store/images/blobs/sha256', diffID.slice(7));
    truncateSync(blob, statSync(blob).size - 512);
    forgetBoot(at);
    await expect(store.resolve('app')).rejects.toMatchObject({ code: 'STORE_CORRUPT', message: expect.stringContaining(blob) });
    await store.remove('app');
    expect(await store.list()).toEqual([]);
    const index = at.join('store/images/index.json');
    for (const file of [index, `${index}.copy`]) writeFileSync(file, '{');
    await expect(store.resolve('app')).rejects.toMatchObject({ code: 'STORE_CORRUPT', message: expect.stringContaining(index) });
  });
});

test('a relative root is refused', () => {
  expect(() => new ImageStore('relative')).toThrow(expect.objectContaining({ code: 'STORE_PATH' }));
});

test('a layer that fails before anybody reads it is the error of the commit, and leaves nothing', async () => {
  await using at = scratch();
  const store = new ImageStore(at.join('store'));
  const { digest } = await store.import(archiveIn(at), 'base');
  const before = contents(at);
  const failing = (): Readable => {
    const source = new Readable({ read: () => undefined });
    setImmediate(() => source.destroy(new Error('its maker was killed')));
    return source;
  };
  await expect(store.commit(digest, [failing], 'made')).rejects.toThrow('its maker was killed');
  expect(contents(at)).toEqual(before);
});
