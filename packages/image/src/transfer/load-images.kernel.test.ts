import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { type ImageToSave, SAVERS, savedArchive, savedImages, tarArchive } from '@lamella-test/tree';
import { describe, expect, test } from 'vitest';
import { ImageStore, LoadError, shortReference } from '../index.js';
import { IMAGE_BOUNDS } from '../model/image-bounds.js';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const layer = (name: string): Buffer => tarArchive([{ name, data: `content of ${name}` }]);
const APP: ImageToSave = { layers: [layer('base'), layer('app')], names: ['docker.io/library/app:v1'] };
const TOOLS: ImageToSave = { layers: [layer('base'), layer('tools')], names: ['reg.example.com:5000/team/tools:2', 'docker.io/me/tools:latest'] };
const NAMELESS: ImageToSave = { layers: [layer('base')], names: [], config: { Cmd: ['nameless'] } };

async function names(store: ImageStore): Promise<string[]> {
  return (await store.list()).map(({ reference }) => shortReference(reference)).toSorted();
}

/** The ways in which an archive comes. */
const WAYS: readonly [string, (at: ScratchDirectory, files: ReadonlyMap<string, Buffer>) => string | Readable][] = [
  [
    'a file',
    (at, files) => {
      writeFileSync(at.join('saved.tar'), savedArchive(files));
      return at.join('saved.tar');
    },
  ],
  ['a compressed stream', (_, files) => Readable.from([gzipSync(savedArchive(files))])],
  [
    'a directory',
    (at, files) => {
      for (const [name, content] of files) {
        mkdirSync(path.dirname(at.join('saved', name)), { recursive: true });
        writeFileSync(at.join('saved', name), content);
      }
      return at.join('saved');
    },
  ],
];

describe.for(SAVERS)('what %s saves', (saver) => {
  test.for(WAYS)('is loaded from %s, with all names and without', async ([, given]) => {
    await using at = scratch();
    const store = new ImageStore(at.join('store'));
    const added = await store.load(given(at, savedImages([APP, TOOLS, NAMELESS], saver)));
    expect(added).toHaveLength(3);
    const [made] = added[2]?.references.map(shortReference) ?? [];
    expect(made).toMatch(/^localhost\/loaded:[0-9a-f]{12}$/);
    expect(added.map(({ warnings }) => warnings.length)).toEqual([0, 0, 1]);
    expect(await names(store)).toEqual(['app:v1', made, 'me/tools:latest', 'reg.example.com:5000/team/tools:2']);
    for (const [name, file] of [
      ['app:v1', 'app'],
      ['me/tools', 'tools'],
      ['reg.example.com:5000/team/tools:2', 'tools'],
      [made, 'base'],
    ] as const) {
      const { layers } = await store.resolve(name as string);
      expect(readFileSync(path.join(layers[0]?.path ?? '', file), 'utf8')).toBe(`content of ${file}`);
    }
    expect((await store.resolve(made as string)).config.cmd).toEqual(['nameless']);
  });

  test('has each image by its name, whole or short', async () => {
    await using at = scratch();
    writeFileSync(at.join('saved.tar'), savedArchive(savedImages([APP, TOOLS], saver)));
    const store = new ImageStore(at.join('store'));
    for (const transport of saver === 'docker-20'
      ? ['docker-archive']
      : saver === 'podman' || saver === 'buildx'
        ? ['oci-archive']
        : ['oci-archive', 'docker-archive'])
      for (const name of ['docker.io/me/tools:latest', 'me/tools']) {
        await store.load(`${transport}:${at.join('saved.tar')}:${name}`, { name: 'mine' });
        expect((await store.resolve('mine')).layers).toHaveLength(2);
        await store.remove('mine');
      }
  });

  test('is loaded but for what is broken, which is named', async () => {
    const whole = savedImages([APP, TOOLS, NAMELESS], saver);
    const only = [...savedImages([TOOLS], saver).keys()].filter(
      (name) => /[0-9a-f]{64}/.test(name) && !savedImages([APP, NAMELESS], saver).has(name) && !/VERSION$|\/json$/.test(name),
    );
    expect(only.length).toBeGreaterThan(1);
    for (const missing of only) {
      // An attestation is nobody's loss.
      const isNeeded = saver !== 'containerd' && saver !== 'buildx' ? true : !whole.get(missing)?.includes('"layers":[]');
      await using at = scratch();
      const store = new ImageStore(at.join('store'));
      const files = new Map([...whole].filter(([name]) => name !== missing));
      const error = await store.load(Readable.from([savedArchive(files)])).then(
        () => undefined,
        (problem: unknown) => problem,
      );
      if (!isNeeded) {
        expect(error).toBeUndefined();
        continue;
      }
      expect(error).toBeInstanceOf(LoadError);
      expect(error).toMatchObject({ code: 'IMAGES_NOT_LOADED', message: expect.stringMatching(/^1 of 3 images could not be loaded: '.*tools:2': /) });
      expect((error as LoadError).loaded).toHaveLength(2);
      expect(await names(store)).toEqual(['app:v1', expect.stringMatching(/^localhost\/loaded:/)]);
      expect(await store.check()).toMatchObject({ problems: [] });
    }
  });

  test('of one image that is broken says what is wrong with it', async () => {
    await using at = scratch();
    const store = new ImageStore(at.join('store'));
    const files = savedImages([APP], saver);
    for (const [name, content] of files) if (content.includes('content of app')) files.delete(name);
    if (saver !== 'docker-20' && saver !== 'docker-25')
      files.delete(`blobs/sha256/${(JSON.parse(String(files.get('index.json'))) as { manifests: { digest: string }[] }).manifests[0]?.digest.slice(7)}`);
    await expect(store.load(Readable.from([savedArchive(files)]))).rejects.toMatchObject({ code: 'SOURCE_INCOMPLETE' });
    expect(await names(store)).toEqual([]);
  });
});

test('an image without layers, and one with a layer of no bytes, are images, as for Docker', async () => {
  await using at = scratch();
  const store = new ImageStore(at.join('store'));
  for (const saver of SAVERS) {
    await store.load(Readable.from([savedArchive(savedImages([{ layers: [], names: [] }], saver))]), { name: 'none' });
    expect((await store.resolve('none')).layers).toEqual([]);
    await store.load(Readable.from([savedArchive(savedImages([{ layers: [Buffer.alloc(0), layer('a')], names: [] }], saver))]), { name: 'empty' });
    expect((await store.resolve('empty')).layers).toHaveLength(2);
    const chunks: Buffer[] = [];
    const output = new PassThrough();
    output.on('data', (chunk: Buffer) => chunks.push(chunk));
    await store.save(['none', 'empty'], output);
    expect(await store.load(Readable.from(chunks))).toHaveLength(2);
    expect(await store.check()).toMatchObject({ problems: [] });
  }
});

test('a layout that has an image for each platform, without an index, gives the one that is wanted', async () => {
  await using at = scratch();
  const store = new ImageStore(at.join('store'));
  const files = savedImages([APP, { ...TOOLS, names: APP.names }], 'podman');
  const index = JSON.parse(String(files.get('index.json'))) as { manifests: Record<string, unknown>[] };
  for (const [i, architecture] of ['amd64', 'arm64'].entries()) Object.assign(index.manifests[i] as object, { platform: { os: 'linux', architecture } });
  const signature = { mediaType: 'application/vnd.example+json', digest: `sha256:${'d'.repeat(64)}`, size: 3 };
  files.set('index.json', Buffer.from(JSON.stringify({ ...index, manifests: [...index.manifests, signature] })));
  for (const [architecture, file] of [
    ['amd64', 'app'],
    ['arm64', 'tools'],
  ] as const) {
    expect(await store.load(Readable.from([savedArchive(files)]), { platform: { os: 'linux', architecture } })).toHaveLength(1);
    expect(readFileSync(path.join((await store.resolve('app:v1')).layers[0]?.path ?? '', file), 'utf8')).toBe(`content of ${file}`);
  }
});

test('of names that Docker gives beside a layout those count that the layout does not say', async () => {
  await using at = scratch();
  const store = new ImageStore(at.join('store'));
  const files = savedImages([APP, TOOLS], 'docker-25');
  const index = JSON.parse(String(files.get('index.json'))) as { manifests: { annotations?: unknown; digest: string }[] };
  for (const each of index.manifests) delete each.annotations;
  files.set('index.json', Buffer.from(JSON.stringify(index)));
  await store.load(Readable.from([savedArchive(files)]));
  expect(await names(store)).toEqual(['app:v1', 'me/tools:latest', 'reg.example.com:5000/team/tools:2']);
  // A file of that name that does not list images belongs to another tool.
  files.set('manifest.json', Buffer.from('{"name":"a web page"}'));
  expect((await store.load(Readable.from([savedArchive(files)]))).flatMap(({ references }) => references.map(({ path: each }) => each))).toEqual([
    'loaded',
    'loaded',
  ]);
});

test.for(['docker-25', 'containerd'] as const)('an image of what %s saves is found by a name that only manifest.json has', async (saver) => {
  await using at = scratch();
  const store = new ImageStore(at.join('store'));
  const files = savedImages([APP, TOOLS], saver);
  const index = JSON.parse(String(files.get('index.json'))) as { manifests: { annotations?: unknown }[] };
  for (const each of index.manifests) delete each.annotations;
  files.set('index.json', Buffer.from(JSON.stringify(index)));
  writeFileSync(at.join('saved.tar'), savedArchive(files));
  for (const name of ['app:v1', 'docker.io/library/app:v1', 'me/tools']) {
    await store.load(`oci-archive:${at.join('saved.tar')}:${name}`, { name: 'mine' });
    const { layers } = await store.resolve('mine');
    const file = name === 'me/tools' ? 'tools' : 'app';
    expect(readFileSync(path.join(layers[0]?.path ?? '', file), 'utf8')).toBe(`content of ${file}`);
    await store.remove('mine');
  }
  await expect(store.load(`oci-archive:${at.join('saved.tar')}:absent`)).rejects.toMatchObject({
    code: 'SOURCE_NAME_UNKNOWN',
    hint: expect.stringContaining('app:v1, '),
  });
});

test('an image behind four indexes is found, and behind more it is not looked for', async () => {
  await using at = scratch();
  const store = new ImageStore(at.join('store'));
  for (const depth of [1, IMAGE_BOUNDS.indexes, IMAGE_BOUNDS.indexes + 1]) {
    const files = savedImages([APP], 'podman');
    const { manifests } = JSON.parse(String(files.get('index.json'))) as { manifests: { digest: string; size: number; annotations: unknown }[] };
    let [{ annotations, ...inner }] = manifests as [(typeof manifests)[number]];
    for (let i = 0; i < depth; i++) {
      const content = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [inner] }));
      const digits = createHash('sha256').update(content).digest('hex');
      files.set(`blobs/sha256/${digits}`, content);
      inner = { ...inner, mediaType: INDEX, digest: `sha256:${digits}`, size: content.length } as typeof inner;
    }
    files.set('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [{ ...inner, annotations }] })));
    const loaded = store.load(Readable.from([savedArchive(files)]));
    if (depth > IMAGE_BOUNDS.indexes) await expect(loaded).rejects.toMatchObject({ code: 'SOURCE_INVALID', message: expect.stringContaining('4 indexes') });
    else expect((await loaded).flatMap(({ references }) => references.map(shortReference))).toEqual(['app:v1']);
  }
});
