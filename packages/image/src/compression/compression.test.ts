import { spawnSync } from 'node:child_process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { type Member, tarArchive } from '@lamella-test/tree';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TarReader } from '../tar/reader.js';
import { decompressor, detectCompression, explainInflateError } from './compression.js';

/** Decompresses bytes that come in pieces of a size. */
async function inflated(archive: Buffer, size: number = archive.length || 1): Promise<Buffer> {
  const pieces = Array.from({ length: Math.ceil(archive.length / size) }, (_, i) => archive.subarray(i * size, (i + 1) * size));
  const chunks: Buffer[] = [];
  try {
    await pipeline(Readable.from(pieces), await decompressor(detectCompression(archive)), async (plain: AsyncIterable<Buffer>) => {
      for await (const chunk of plain) chunks.push(Buffer.from(chunk));
    });
  } catch (error) {
    throw explainInflateError(error);
  }
  return Buffer.concat(chunks);
}

/** The names and contents of a tar that may be compressed, or the code of what is wrong with it. */
async function members(archive: Buffer, size?: number): Promise<string> {
  const found: string[] = [];
  const reader = new TarReader({
    entry: ({ name }) => found.push(`${name}=`),
    data: (chunk) => found.push(chunk.toString('latin1')),
    end: () => found.push('\n'),
  });
  try {
    reader.write(await inflated(archive, size));
    reader.end();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return found.join('');
}

const skippable = (content: Buffer, kind = 0): Buffer => {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a50 + kind, 0);
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content]);
};

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }),
  fc.nat(4000).map((length) => new Uint8Array(length).fill(120)),
);
const archive = fc
  .array(fc.record({ name: fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 90 }), data: bytes }), { minLength: 1, maxLength: 4 })
  .map((list: Member[]) => tarArchive(list));
/** A tar in parts, which may be empty. */
const parts = fc
  .tuple(archive, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }))
  .map(([tar, cuts]) => ({ tar, cut: [0, ...cuts.map((at) => Math.floor(at * tar.length)), tar.length].toSorted((a, b) => a - b) }))
  .map(({ tar, cut }) => ({ tar, parts: cut.slice(1).map((to, i) => tar.subarray(cut[i], to)) }));
const flag = fc.constantFrom(0, 1);
const zstd = fc.tuple(
  parts,
  fc.record({ checksum: flag, size: flag, level: fc.constantFrom(-5, 1, 19), window: fc.constantFrom(0, 10, 27) }),
  fc.array(fc.tuple(fc.nat(15), fc.uint8Array({ maxLength: 40 })), { maxLength: 5 }),
);
const frames = zstd.map(([split, { checksum, size, level, window }, skipped]) => {
  const params = {
    [constants.ZSTD_c_compressionLevel]: level,
    [constants.ZSTD_c_checksumFlag]: checksum,
    [constants.ZSTD_c_contentSizeFlag]: size,
    [constants.ZSTD_c_windowLog]: window,
  };
  const skip = skipped.map(([kind, content]) => skippable(Buffer.from(content), kind));
  const made = split.parts.flatMap((part, i) => [...(skip[i] ? [skip[i]] : []), zstdCompressSync(part, { params })]);
  return { tar: split.tar, archive: Buffer.concat([...made, ...skip.slice(split.parts.length)]) };
});
const gzips = fc
  .tuple(parts, fc.nat(600))
  .map(([split, zeros]) => ({ tar: split.tar, archive: Buffer.concat([...split.parts.map((part) => gzipSync(part)), Buffer.alloc(zeros)]) }));
const plain = archive.map((tar) => ({ tar, archive: tar }));
const runs = { numRuns: process.env.LAMELLA_LONG ? 500 : 40 };

test.for([
  ['zstd of several frames, some to be skipped', frames],
  ['gzip of several members, and zeros', gzips],
] as const)('%s is read whole, however it arrives', { timeout: 900_000 }, async ([, made]) => {
  await fc.assert(
    fc.asyncProperty(made, fc.integer({ min: 1, max: 5000 }), async ({ tar, archive: given }, size) => {
      expect((await inflated(given, Math.max(size, given.length / 500))).equals(tar)).toBe(true);
    }),
    runs,
  );
});

test.for([
  ['none', plain],
  ['gzip', gzips],
  ['zstd', frames],
] as const)('an archive that ends early is an error, or has all that it should: %s', { timeout: 900_000 }, async ([, made]) => {
  await fc.assert(
    fc.asyncProperty(made, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), async ({ archive: given }, cut) => {
      const whole = await members(given);
      expect(whole).toContain('=');
      const found = await members(given.subarray(0, Math.floor(cut * given.length)));
      if (found !== whole) expect(found).toMatch(/^(?:TAR_TRUNCATED|TAR_EMPTY|TAR_INVALID)$/);
    }),
    { numRuns: 5 * runs.numRuns },
  );
});

test('an archive that is cut at any of its bytes is an error, or has all that it should', { timeout: 900_000 }, async () => {
  const tar = tarArchive([
    { name: 'one', data: 'first' },
    { name: 'two', data: 'x'.repeat(2000) },
  ]);
  const [head, tail] = [tar.subarray(0, 1024), tar.subarray(1024)];
  const given = [
    gzipSync(tar),
    Buffer.concat([gzipSync(head), gzipSync(tail)]),
    zstdCompressSync(tar),
    Buffer.concat([skippable(Buffer.from('toc')), zstdCompressSync(head), zstdCompressSync(tail), skippable(Buffer.from('footer'), 15)]),
  ];
  for (const each of given) {
    const whole = await members(each);
    for (let at = 0; at < each.length; at++) {
      const found = await members(each.subarray(0, at));
      if (found !== whole) expect(found, `at ${at}`).toMatch(/^TAR_(?:TRUNCATED|EMPTY|INVALID)$/);
    }
  }
});

test.for([
  ['gzip', gzipSync(tarArchive([{ name: 'a' }]))],
  ['zstd', zstdCompressSync(tarArchive([{ name: 'a' }]))],
] as const)('what follows a %s archive is not left out in silence', async ([compression, given]) => {
  const other = compression === 'gzip' ? gzipSync('more') : zstdCompressSync(Buffer.from('more'));
  for (const rest of [Buffer.from('garbage'), Buffer.concat([Buffer.alloc(600), other]), Buffer.concat([Buffer.alloc(4), Buffer.from('x')])])
    for (const size of [given.length, given.length + rest.length, 7]) expect(await members(Buffer.concat([given, rest]), size)).toBe('ARCHIVE_CORRUPT');
});

test('xz that is cut is an error, also when what came out of it is a whole tar', { timeout: 300_000 }, async (context) => {
  const tar = tarArchive([{ name: 'a', data: 'x' }]);
  const made = spawnSync('xz', ['-c'], { input: tar });
  if (made.error) context.skip('there is no xz');
  expect(await members(made.stdout)).toBe('a=x\n');
  for (let at = 6; at < made.stdout.length; at += 9)
    expect(await members(made.stdout.subarray(0, at)), `at ${at}`).toMatch(/^(?:ARCHIVE_CORRUPT|TAR_EMPTY|TAR_TRUNCATED)$/);
});

test('a frame that would take more memory than podman gives it says which bound it meets', async () => {
  const frame = (exponent: number, mantissa: number): Buffer => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (exponent << 3) | mantissa, 1, 0, 0]);
  expect(await inflated(frame(19, 0))).toEqual(Buffer.alloc(0));
  for (const each of [frame(19, 1), frame(20, 0), frame(31, 7)])
    await expect(inflated(each)).rejects.toMatchObject({
      code: 'ARCHIVE_WINDOW',
      message: expect.stringContaining('536870912'),
      hint: expect.stringContaining('--long=29'),
    });
  // Of a single segment that is said to be that long.
  const single = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0]);
  await expect(inflated(single)).rejects.toMatchObject({ code: 'ARCHIVE_WINDOW' });
});

test('several archives with large windows at once all come to their ends', async () => {
  const params = { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 };
  const tar = tarArchive([{ name: 'a', data: 'x' }]);
  const given = zstdCompressSync(tar, { params });
  const cut = given.subarray(0, -3);
  const found = await Promise.all([members(given), members(cut), members(given), members(given, 5), members(cut, 1), members(given)]);
  expect(found).toEqual(['a=x\n', 'TAR_TRUNCATED', 'a=x\n', 'a=x\n', 'TAR_TRUNCATED', 'a=x\n']);
});
