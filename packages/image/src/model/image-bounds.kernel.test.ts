import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { scratch } from '@lamella-test/scratch';
import { type Member, savedArchive, savedImages, tarArchive } from '@lamella-test/tree';
import { describe, expect, test } from 'vitest';
import { applyLayer, ImageStore } from '../index.js';
import { LayerWriter } from '../layer/layer-writer.js';
import type { TarEntry } from '../tar/entry.js';
import { IMAGE_BOUNDS, type ImageBound } from './image-bounds.js';

const UNITS: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 ** 2, '': 1 };

test('the table of bounds in the documentation is that of the code', () => {
  const text = readFileSync(path.join(import.meta.dirname, '../../../../docs/internals/untrusted-files.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `(\w+)` +\|[^|]*\| `[A-Z_]+` +\| ([\d ]+?) ?(KiB|MiB)? +\|$/gm)];
  expect(Object.fromEntries(rows.map(([, name, count, unit]) => [name, Number((count as string).replaceAll(' ', '')) * (UNITS[unit ?? ''] ?? 0)]))).toEqual(
    IMAGE_BOUNDS,
  );
});

/** How an archive of members that never end is refused, and how much memory that took. */
async function refusal(make: (i: number) => Member, code: string): Promise<Error> {
  await using at = scratch('tmpfs');
  let sent = 0;
  const endless = async function* (): AsyncGenerator<Buffer> {
    for (let i = 0; ; ) {
      const members = Array.from({ length: 50 }, () => make(i++));
      const part = tarArchive(members, { end: false });
      sent += part.length;
      yield part;
    }
  };
  const error = await applyLayer(Readable.from(endless()), at.path, { stacked: true }).catch((problem: unknown) => problem);
  expect(error).toMatchObject({ code, hint: expect.stringMatching(/\w/) });
  // More than was sent cannot have been kept.
  expect(sent).toBeLessThan(2 ** 30);
  return error as Error;
}

describe('what an archive may have of each is bounded, and the error says by how much', () => {
  const attribute = Buffer.alloc(1_000_000, 'x');
  test.for<[ImageBound, string, (i: number) => Member]>([
    ['extension', 'TAR_EXTENSION_TOO_LARGE', () => ({ name: 'x', type: 'x', size: IMAGE_BOUNDS.extension + 1 })],
    ['globalExtensions', 'TAR_EXTENSION_TOO_LARGE', (i) => ({ name: 'g', type: 'g', data: `20 comment=${String(i).padStart(8, '0')}\n` })],
    [
      'sparsePieces',
      'TAR_SPARSE',
      () => ({
        name: 's',
        size: 2 ** 33,
        pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 's', 'GNU.sparse.realsize': '9' },
        data: `${IMAGE_BOUNDS.sparsePieces + 1}\n`.padEnd(512, '1\n'),
      }),
    ],
  ])('%s', { timeout: 120_000 }, async ([bound, code, make]) => {
    const error = await refusal(make, code);
    if (bound !== 'sparsePieces') expect(error.message).toContain(String(IMAGE_BOUNDS[bound]));
  });

  test('extensions', async () => {
    const error = await refusal((i) => ({ name: 'x', type: 'x', data: `1000000 a${i % 10}=`.padEnd(999_999, 'v').concat('\n') }), 'TAR_EXTENSION_TOO_LARGE');
    expect(error.message).toContain(String(IMAGE_BOUNDS.extensions));
  });

  test.for<[ImageBound, (i: number) => Partial<TarEntry>]>([
    ['directories', (i) => ({ name: `d${i}`, type: 'directory', xattrs: new Map<string, Buffer>([['user.a', attribute]]) })],
    ['notes', (i) => ({ name: `${'n'.repeat(200)}${i}/`.repeat(15).concat('.wh.a') })],
    ['notes', (i) => ({ name: `${'n'.repeat(200)}${i}/`.repeat(15).concat('file') })],
  ])('%s that are kept', ([bound, entry]) => {
    const writer = new LayerWriter({ ids: 'host', marks: 'overlayfs', maxEntries: 10_000_000, stacked: true });
    const refused = (): never => {
      for (let i = 0; ; i++) {
        writer.entry({
          type: 'file',
          linkname: '',
          mode: 0o644,
          uid: 0,
          gid: 0,
          size: 0,
          mtimeSeconds: 0,
          mtimeNanoseconds: 0,
          major: 0,
          minor: 0,
          xattrs: undefined,
          name: 'x',
          ...entry(i),
        });
        writer.end();
        writer.recycle(writer.take());
      }
    };
    expect(refused).toThrow(expect.objectContaining({ code: 'LAYER_TOO_LARGE', message: expect.stringContaining(String(IMAGE_BOUNDS[bound])) }));
  });

  test('tail', async () => {
    await using at = scratch('tmpfs');
    const zeros = function* (): Generator<Buffer> {
      yield tarArchive([{ name: 'a' }]);
      const part = Buffer.alloc(1 << 20);
      for (let i = 0; i < 66; i++) yield part;
    };
    await expect(applyLayer(Readable.from(zeros()), at.path)).rejects.toMatchObject({
      code: 'TAR_TAIL',
      message: expect.stringContaining(String(IMAGE_BOUNDS.tail)),
    });
  });

  test('entries', async () => {
    await using at = scratch('tmpfs');
    const archive = tarArchive([{ name: 'a' }, { name: 'b' }, { name: 'c' }]);
    await expect(applyLayer(Readable.from([archive]), at.path, { maxEntries: 2 })).rejects.toMatchObject({
      code: 'LAYER_TOO_MANY_ENTRIES',
      message: expect.stringContaining('2'),
    });
  });

  test('layers', async () => {
    await using at = scratch('tmpfs');
    const layers = Array.from({ length: IMAGE_BOUNDS.layers + 1 }, (_, i) => tarArchive([{ name: `${i}` }]));
    const archive = savedArchive(savedImages([{ layers, names: ['docker.io/library/many:1'] }], 'docker-25'));
    await expect(new ImageStore(at.join('store')).load(Readable.from([archive]))).rejects.toMatchObject({
      code: 'IMAGE_TOO_MANY_LAYERS',
      message: expect.stringContaining(`${layers.length} layers; more than ${IMAGE_BOUNDS.layers}`),
    });
  });

  test.for<[ImageBound, Member[]]>([
    ['memberNames', Array.from({ length: 20 }, (_, i): Member => ({ name: 'x', pax: { path: `${i}`.padEnd(1_000_000, 'n') } }))],
    ['extensions', Array.from({ length: 5 }, (): Member => ({ name: 'x', type: 'x', data: `1000000 a=${'v'.repeat(999_989)}\n` }))],
    ['extension', [{ name: 'x', type: 'x', data: Buffer.alloc(IMAGE_BOUNDS.extension + 1) }]],
  ])('%s of an archive of images', async ([bound, members]) => {
    await using at = scratch('tmpfs');
    const load = new ImageStore(at.join('store')).load(Readable.from([tarArchive(members)]));
    await expect(load).rejects.toMatchObject({
      code: bound === 'memberNames' ? 'SOURCE_UNKNOWN' : 'TAR_EXTENSION_TOO_LARGE',
      message: expect.stringContaining(String(IMAGE_BOUNDS[bound])),
    });
  });

  test('members of an archive of images', async () => {
    await using at = scratch('tmpfs');
    const some = tarArchive(
      Array.from({ length: 1000 }, (_, i): Member => ({ name: `${i}` })),
      { end: false },
    );
    const archive = Array.from({ length: IMAGE_BOUNDS.members / 1000 + 1 }, () => some);
    await expect(new ImageStore(at.join('store')).load(Readable.from(archive))).rejects.toMatchObject({
      code: 'SOURCE_UNKNOWN',
      message: expect.stringContaining(String(IMAGE_BOUNDS.members)),
    });
  });

  test.for([
    ['nested arrays', `{"rootfs":{"diff_ids":[]},"x":${'['.repeat(1000)}${']'.repeat(1000)}}`],
    ['nested objects', `{"rootfs":{"diff_ids":[]},"config":{"x":${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}}}`],
    ['a hundred thousand', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ])('depth of a configuration: %s', async ([, config]) => {
    await using at = scratch('tmpfs');
    const files = new Map<string, Uint8Array>([
      ['config.json', Buffer.from(config as string)],
      ['manifest.json', Buffer.from(JSON.stringify([{ Config: 'config.json', RepoTags: ['deep:1'], Layers: [] }]))],
    ]);
    await expect(new ImageStore(at.join('store')).load(Readable.from([savedArchive(files)]))).rejects.toMatchObject({
      code: 'SOURCE_INVALID',
      message: expect.stringContaining('512 levels'),
    });
  });

  test('a document of more than 4 MiB, without being read', async () => {
    await using at = scratch('tmpfs');
    writeFileSync(at.join('big.tar'), tarArchive([{ name: 'manifest.json', size: 2 ** 33 }], { end: false }));
    truncateSync(at.join('big.tar'), 2 ** 33 + 2048);
    await expect(new ImageStore(at.join('store')).load(at.join('big.tar'))).rejects.toMatchObject({
      code: 'DOCUMENT_TOO_LARGE',
      message: expect.stringContaining('4194304'),
    });
  });
});
