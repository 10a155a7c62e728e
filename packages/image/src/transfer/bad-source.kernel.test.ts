import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { type LayoutOptions, ociLayout, tarArchive } from '@lamella-test/tree';
import { describe, expect, test } from 'vitest';
import { ImageStore } from '../index.js';

const noise = (size: number): Buffer => Buffer.from(Array.from({ length: size }, (_, i) => ((i * 2654435761) >>> 13) & 0xff));
const GOOD = tarArchive([{ name: 'first', data: 'one' }]);
const SECOND = tarArchive([{ name: 'second', data: noise(400_000) }]);

/** The store as its users see it: names, and what is whole. */
function contents(at: ScratchDirectory): string[] {
  const files = readdirSync(at.join('store'), { recursive: true, encoding: 'utf8' }).filter((name) => !/^locks/.test(name));
  return [...files.filter((name) => !/^layers/.test(name)).sort(), readFileSync(at.join('store/images/index.json'), 'utf8')];
}

describe('what is wrong with an image leaves the store as it was, and the next attempt finds what was right', () => {
  test.for<[what: string, code: string, break_: (layout: ReturnType<typeof ociLayout>, directory: string) => void, options?: LayoutOptions]>([
    ['a truncated gzip', 'TAR_TRUNCATED', ({ blobs }) => truncateSync(blobs[1] as string, 9000)],
    ['a gzip with more behind it', 'SIZE_MISMATCH', ({ blobs }) => appendFileSync(blobs[1] as string, 'more')],
    [
      'a byte that changed',
      'DIGEST_MISMATCH|ARCHIVE_CORRUPT|TAR_.*',
      ({ blobs }) => {
        const content = readFileSync(blobs[1] as string);
        content[content.length - 2000] = (content[content.length - 2000] as number) ^ 0xff;
        writeFileSync(blobs[1] as string, content);
      },
    ],
    [
      'a diffID that is not the content',
      'DIFFID_MISMATCH',
      () => {},
      { edit: ({ config }) => Object.assign(config, { rootfs: { type: 'layers', diff_ids: [sha('0'), sha('1')] } }) },
    ],
    [
      'fewer layers than diffIDs',
      'SOURCE_INVALID',
      () => {},
      { edit: ({ config }) => Object.assign(config, { rootfs: { type: 'layers', diff_ids: [sha('0')] } }) },
    ],
    ['a blob that is missing', 'SOURCE_INCOMPLETE', ({ blobs }) => execFileSync('rm', [blobs[1] as string])],
    [
      'a manifest that is no JSON',
      'DIGEST_MISMATCH',
      ({ digest }, directory) => writeFileSync(path.join(directory, 'blobs/sha256', digest.slice(7)), 'nonsense'),
    ],
    [
      'an index of over 4 MB',
      'DOCUMENT_TOO_LARGE|SOURCE_INVALID',
      (_, directory) => writeFileSync(path.join(directory, 'index.json'), Buffer.alloc((4 << 20) + 1, ' ')),
    ],
    [
      'an index that refers to itself',
      'DIGEST_MISMATCH|SOURCE_INVALID',
      (_, directory) => {
        const content = JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType: INDEX, digest: sha('a'), size: 200 }] });
        writeFileSync(path.join(directory, 'blobs/sha256', 'a'.repeat(64)), content);
        writeFileSync(path.join(directory, 'index.json'), content);
      },
    ],
    ['a layer that leaves its directory', 'LAYER_PATH_ESCAPES', () => {}, { compress: 'none' }],
  ])('%s', async ([what, code, break_, options]) => {
    await using at = scratch();
    const store = new ImageStore(at.join('store'));
    await store.load(layoutOf(at, 'before', [GOOD]), { name: 'before' });
    const before = contents(at);
    const hostile = what.includes('leaves') ? tarArchive([{ name: '../../out', data: 'x' }]) : SECOND;
    const layout = ociLayout(at.join('bad'), [GOOD, hostile], options);
    break_(layout, at.join('bad'));
    const refused = store.load(at.join('bad'), { name: 'new' });
    await expect(refused).rejects.toMatchObject({ code: expect.stringMatching(`^(?:${code})$`), hint: expect.stringMatching(/\w/) });
    expect(contents(at)).toEqual(before);
    expect(await store.list()).toHaveLength(1);
    const [added] = await store.load(layoutOf(at, 'good', [GOOD, SECOND]), { name: 'new' });
    expect(added).toMatchObject({ layers: 2, unpacked: 1 });
  });
});

const INDEX = 'application/vnd.oci.image.index.v1+json';
const sha = (digit: string): string => `sha256:${digit.repeat(64)}`;

function layoutOf(at: ScratchDirectory, name: string, layers: readonly Uint8Array[]): string {
  ociLayout(at.join(name), layers);
  return at.join(name);
}

test('a full disk is told as such; with more room the same is done, and what had arrived is used', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  mkdirSync(at.join('store'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=600k', 'tmpfs', at.join('store')]);
  try {
    const store = new ImageStore(at.join('store'));
    await store.load(layoutOf(at, 'before', [GOOD]), { name: 'before' });
    const before = contents(at);
    const layout = layoutOf(at, 'big', [tarArchive([{ name: 'small', data: 'x' }]), SECOND, tarArchive([{ name: 'third', data: noise(300_000) }])]);
    const finished = (): number => readdirSync(at.join('store/layers')).filter((name) => !name.startsWith('.')).length;
    const own = finished();
    // All at once: sometimes the small one is cut short by the failure of another.
    for (let i = 0; i < 3 || (finished() === own && i < 50); i++)
      await expect(store.load(layout, { name: 'big' })).rejects.toMatchObject({
        code: expect.stringMatching(/NO_SPACE/),
        hint: expect.stringContaining('Free some'),
      });
    expect(contents(at)).toEqual(before);
    await expect(store.import(archive(at), 'big')).rejects.toMatchObject({ code: expect.stringMatching(/NO_SPACE/) });
    expect(contents(at).filter((name) => !name.startsWith('imports'))).toEqual(before.filter((name) => !name.startsWith('imports')));
    execFileSync('mount', ['-o', 'remount,size=20m', at.join('store')]);
    const [added] = await store.load(layout, { name: 'big' });
    expect(added?.layers).toBe(3);
    // The small one was finished in one of the attempts, and is used.
    expect(added?.unpacked).toBeLessThan(3);
    expect(await store.check()).toMatchObject({ problems: [] });
  } finally {
    execFileSync('umount', [at.join('store')]);
  }
});

function archive(at: ScratchDirectory): string {
  writeFileSync(at.join('rootfs.tar'), tarArchive([{ name: 'big', data: noise(900_000) }]));
  return at.join('rootfs.tar');
}

test('a store on a read-only filesystem says so, and is read all the same', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  const store = new ImageStore(at.join('store'));
  await store.load(layoutOf(at, 'before', [GOOD]), { name: 'before' });
  execFileSync('mount', ['--bind', at.join('store'), at.join('store')]);
  execFileSync('mount', ['-o', 'remount,bind,ro', at.join('store')]);
  try {
    const refused = { code: 'STORE_READ_ONLY', hint: expect.stringContaining('--root') };
    await expect(store.load(layoutOf(at, 'good', [GOOD, SECOND]), { name: 'new' })).rejects.toMatchObject(refused);
    await expect(store.import(archive(at), 'new')).rejects.toMatchObject(refused);
    await expect(store.tag('before', 'after')).rejects.toMatchObject(refused);
    await expect(store.remove('before')).rejects.toMatchObject(refused);
    await expect(store.prune()).rejects.toMatchObject(refused);
    expect((await store.resolve('before')).layers).toHaveLength(1);
  } finally {
    execFileSync('umount', [at.join('store')]);
  }
});

test('a store that a later Lamella made is left alone', async () => {
  await using at = scratch();
  const store = new ImageStore(at.join('store'));
  await store.load(layoutOf(at, 'before', [GOOD]), { name: 'before' });
  writeFileSync(at.join('store/version'), '2\n');
  const newer = { code: 'STORE_NEWER', message: expect.stringContaining('version 2'), hint: expect.stringContaining('--root') };
  for (const attempt of [
    () => store.load(at.join('before'), { name: 'new' }),
    () => store.resolve('before'),
    () => store.list(),
    () => store.remove('before'),
    () => store.prune(),
  ])
    await expect(attempt()).rejects.toMatchObject(newer);
  writeFileSync(at.join('store/version'), 'x');
  await expect(store.resolve('before')).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
});

describe('a layer that leans on those below it', () => {
  const base = tarArchive([
    { name: 'usr/lib/', type: '5', mode: 0o711, mtime: 7 },
    { name: 'lib', type: '2', linkname: '/usr/lib' },
    { name: 'etc/file', data: 'lower', mode: 0o640, uid: 3, mtime: 9 },
  ]);

  test('has hard links to their files, and entries behind their links', async (context) => {
    requiresRoot(context);
    await using at = scratch();
    const store = new ImageStore(at.join('store'));
    const top = tarArchive([
      { name: 'etc/again', type: '1', linkname: 'etc/file' },
      { name: 'etc/once-more', type: '1', linkname: 'etc/again' },
      { name: 'lib/libc.so', data: 'c' },
    ]);
    await store.load(layoutOf(at, 'image', [base, top]), { name: 'image' });
    const { layers } = await store.resolve('image');
    expect(readdirSync(at.join('store/rebased'))).toHaveLength(1);
    const tree = layers.find(({ path: each }) => each.includes('rebased'))?.path ?? '';
    expect(readFileSync(path.join(tree, 'etc/once-more'), 'utf8')).toBe('lower');
    expect(readFileSync(path.join(tree, 'usr/lib/libc.so'), 'utf8')).toBe('c');
    // The same layer on something else is another.
    await store.load(layoutOf(at, 'other', [tarArchive([{ name: 'etc/file', data: 'another' }]), top]), { name: 'other' });
    expect(readdirSync(at.join('store/layers')).length).toBe(3);
    await store.remove('image');
    expect(readdirSync(at.join('store/rebased'))).toHaveLength(1);
    await store.remove('other');
    expect(readdirSync(at.join('store/rebased'))).toEqual([]);
  });

  test.for<[string, string]>([
    ['etc/nothing', 'nowhere'],
    ['usr/lib', 'a directory'],
  ])('and is refused when it links to %s, which is %s', async ([linkname, what]) => {
    await using at = scratch();
    const store = new ImageStore(at.join('store'));
    const layout = layoutOf(at, 'image', [base, tarArchive([{ name: 'bad', type: '1', linkname }])]);
    await expect(store.load(layout, { name: 'image' })).rejects.toMatchObject({
      code: 'LAYER_ENTRY_FAILED',
      message: expect.stringMatching(`'bad'.*'${linkname}'.*${what}`),
    });
    expect(await store.list()).toEqual([]);
  });

  test('whose links lead in a circle is refused', async () => {
    await using at = scratch();
    const store = new ImageStore(at.join('store'));
    const circle = tarArchive([
      { name: 'a', type: '2', linkname: 'b' },
      { name: 'b', type: '2', linkname: 'a' },
    ]);
    const layout = layoutOf(at, 'image', [circle, tarArchive([{ name: 'a/file', data: 'x' }])]);
    await expect(store.load(layout, { name: 'image' })).rejects.toMatchObject({ code: 'LAYER_ENTRY_FAILED', message: expect.stringContaining('circle') });
  });
});
