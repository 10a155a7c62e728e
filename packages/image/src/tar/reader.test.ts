import { type Member, tarArchive } from '@lamella-test/tree';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TarEntry } from './entry.js';
import { TarReader } from './reader.js';

interface Read {
  readonly entries: (TarEntry & { data: string })[];
  readonly complete: boolean;
}

/** Read an archive in pieces of the given sizes (the last one again and again). */
function read(archive: Buffer, sizes: readonly number[] = [archive.length || 1], isWhole = false): Read {
  const entries: (TarEntry & { data: string })[] = [];
  let pieces: [number, Buffer][] = [];
  const reader = new TarReader({
    entry(entry) {
      entries.push({ ...entry, data: '' });
      pieces = [];
    },
    data(chunk, offset) {
      pieces.push([offset, Buffer.from(chunk)]);
    },
    end() {
      const last = entries.at(-1) as TarEntry & { data: string };
      const content = Buffer.alloc(last.size);
      for (const [offset, piece] of pieces) piece.copy(content, offset);
      last.data = content.toString('latin1');
    },
  });
  for (let at = 0, i = 0; at < archive.length; i++) {
    const size = sizes[Math.min(i, sizes.length - 1)] ?? 1;
    // A copy which is destroyed afterwards: what the reader keeps, it has to have copied.
    const chunk = Buffer.from(archive.subarray(at, at + size));
    reader.write(chunk);
    chunk.fill(0xee);
    at += size;
  }
  reader.end({ isWhole });
  return { entries, complete: reader.complete };
}

const name = fc
  .string({ unit: fc.constantFrom('a', 'b', '.', '/', ' ', '\xe9', '\n'), minLength: 1, maxLength: 99 })
  .filter((text) => !text.endsWith('/') && !text.startsWith('\0'));
const member: fc.Arbitrary<Member & { data: string }> = fc.record({
  name,
  data: fc.string({ unit: 'binary-ascii', maxLength: 1500 }),
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.oneof(fc.nat(5000), fc.constantFrom(2097151, 2097152, 4294967294)),
  gid: fc.nat(5000),
  mtime: fc.oneof(fc.nat(2 ** 31 - 1), fc.constantFrom(-1, -86400, 2 ** 33, 2 ** 40)),
});

test('what was put into an archive comes out of it, however its bytes arrive', () => {
  fc.assert(
    fc.property(fc.array(member, { maxLength: 6 }), fc.array(fc.integer({ min: 1, max: 1300 }), { minLength: 1, maxLength: 8 }), (members, sizes) => {
      const { entries, complete } = read(tarArchive(members), sizes);
      expect(complete).toBe(true);
      expect(entries.map(({ name: n, data, mode, uid, gid, mtimeSeconds }) => ({ name: n, data, mode, uid, gid, mtime: mtimeSeconds }))).toEqual(members);
    }),
  );
});

test('PAX headers say names, owners, sizes, fractions of seconds and attributes, bytes and all', () => {
  const long = `${'d/'.repeat(500)}é`;
  const [entry] = read(
    tarArchive([
      {
        name: 'short',
        data: 'abc',
        pax: {
          path: long,
          uid: '4000000',
          gid: '5000000',
          mtime: '1700000000.123456789123',
          'SCHILY.xattr.user.bytes': Buffer.from([0, 255, 10, 61]),
          'LIBARCHIVE.xattr.user.%6eame': Buffer.from('value').toString('base64'),
          'SCHILY.xattr.security.capability': Buffer.from([1, 0, 0, 2]),
        },
      },
    ]),
  ).entries;
  expect(entry).toMatchObject({
    name: Buffer.from(long).toString('latin1'),
    uid: 4_000_000,
    gid: 5_000_000,
    mtimeSeconds: 1_700_000_000,
    mtimeNanoseconds: 123_456_789,
  });
  expect(Object.fromEntries([...(entry?.xattrs ?? [])].map(([key, value]) => [key, value.toString('hex')]))).toEqual({
    'user.bytes': '00ff0a3d',
    'security.capability': '01000002',
    'user.name': Buffer.from('value').toString('hex'),
  });
});

test('times before 1970 count their fraction forward', () => {
  const [entry] = read(tarArchive([{ name: 'old', pax: { mtime: '-1.25' } }])).entries;
  expect([entry?.mtimeSeconds, entry?.mtimeNanoseconds]).toEqual([-2, 750_000_000]);
});

test("a global header counts until the next, an entry's own comes first", () => {
  const { entries } = read(
    tarArchive([{ name: 'g', type: 'g', data: '17 mtime=1000000\n' }, { name: 'a' }, { name: 'b', pax: { mtime: '5' } }, { name: 'c' }]),
  );
  expect(entries.map(({ mtimeSeconds }) => mtimeSeconds)).toEqual([1_000_000, 5, 1_000_000]);
});

test('GNU long names and link names are taken', () => {
  const long = 'n'.repeat(300);
  const { entries } = read(
    tarArchive([
      { name: '././@LongLink', type: 'L', data: `${long}\0` },
      { name: '././@LongLink', type: 'K', data: `${long}-target\0` },
      { name: 'cut', type: '2', linkname: 'cut' },
    ]),
  );
  expect(entries).toMatchObject([{ name: long, linkname: `${long}-target`, type: 'symlink' }]);
});

test('an old directory with a slash, contiguous files and volume labels are what they mean', () => {
  const { entries } = read(
    tarArchive([
      { name: 'label', type: 'V' },
      { name: 'dir/', type: '0' },
      { name: 'file', type: '7', data: 'x' },
      { name: 'dump', type: 'D', data: 'Yname\0\0' },
    ]),
  );
  expect(entries.map(({ type, name: n, data }) => [type, n, data])).toEqual([
    ['directory', 'dir/', ''],
    ['file', 'file', 'x'],
    ['directory', 'dump', ''],
  ]);
});

test.for([
  ['a truncated header', tarArchive([{ name: 'a', data: 'x' }]).subarray(0, 300), 'TAR_TRUNCATED'],
  ['truncated data', tarArchive([{ name: 'victim', data: 'x'.repeat(2000) }]).subarray(0, 1500), 'TAR_TRUNCATED'],
  ['a size beyond the end', tarArchive([{ name: 'victim', data: 'x', size: 1 << 30 }]), 'TAR_TRUNCATED'],
  ['a negative size', tarArchive([{ name: 'victim', size: -1 }]), 'TAR_NUMBER'],
  ['a size in PAX that is no number', tarArchive([{ name: 'victim', pax: { size: '12x' } }]), 'TAR_PAX'],
  ['a wrong checksum', tarArchive([{ name: 'first' }, { name: 'victim', badChecksum: true }]), 'TAR_CHECKSUM'],
  ['no tar at all', Buffer.from('<html>'.repeat(300)), 'TAR_INVALID'],
  ['nothing', Buffer.alloc(0), 'TAR_EMPTY'],
  ['a mode that is not octal', tarArchive([{ name: 'victim', patch: { 100: '9999999' } }]), 'TAR_NUMBER'],
  ['an unknown type', tarArchive([{ name: 'victim', type: 'Z' }]), 'TAR_TYPE'],
  ['an extended header of a gigabyte', tarArchive([{ name: 'PaxHeader', type: 'x', size: 1 << 30 }]), 'TAR_EXTENSION_TOO_LARGE'],
  ['an extended header without an end', tarArchive([{ name: 'PaxHeader', type: 'x', data: '99 path=a' }, { name: 'victim' }]), 'TAR_PAX'],
  ['an extended header that nothing follows', tarArchive([{ name: 'PaxHeader', type: 'x', data: '9 path=a\n' }], { end: false }), 'TAR_TRUNCATED'],
  ['a number that is too large', tarArchive([{ name: 'victim', patch: { 124: Buffer.alloc(12, 0xfe) } }]), 'TAR_NUMBER'],
  ['holes that overlap', tarArchive([{ name: 'victim', data: 'xxxx', pax: { 'GNU.sparse.map': '0,2,1,2', 'GNU.sparse.size': '10' } }]), 'TAR_SPARSE'],
  ['holes beyond the end of the file', tarArchive([{ name: 'victim', data: 'xx', pax: { 'GNU.sparse.map': '100,2', 'GNU.sparse.size': '10' } }]), 'TAR_SPARSE'],
] as const)('%s is refused', ([, archive, code]) => {
  for (const size of [1, 511, 513, 1 << 20]) expect(() => read(archive, [size])).toThrow(expect.objectContaining({ code, hint: expect.any(String) }));
});

test('the message names the entry and where it is', () => {
  expect(() => read(tarArchive([{ name: 'first' }, { name: 'victim', badChecksum: true }]))).toThrow(/byte 512 \(after 'first'\)/);
  expect(() => read(tarArchive([{ name: 'vic\x1b[2Jtim', data: 'x'.repeat(600) }]).subarray(0, 700))).toThrow(/vic\\x1b\[2Jtim/);
});

test('random bytes are refused or read, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2048 }), fc.array(member, { maxLength: 2 }), fc.nat(), (noise, members, at) => {
      const archive = tarArchive(members);
      Buffer.from(noise).copy(archive, at % archive.length);
      try {
        read(archive, [700]);
      } catch (error) {
        expect((error as { code: string }).code).toMatch(/^TAR_/);
      }
    }),
    { numRuns: 500 },
  );
});

test('an archive without an end marker is read when somebody else knows that it is whole', () => {
  const archive = tarArchive([{ name: 'a', data: 'x' }], { end: false });
  expect(read(archive, undefined, true)).toMatchObject({ complete: false, entries: [{ name: 'a' }] });
  expect(() => read(archive)).toThrow(expect.objectContaining({ code: 'TAR_TRUNCATED', hint: expect.stringContaining('head -c 1024 /dev/zero') }));
  expect(read(Buffer.alloc(0), undefined, true)).toMatchObject({ entries: [] });
});

test.for([
  ['-0.25', [-1, 750_000_000]],
  ['-1', [-1, 0]],
  ['-0', [0, 0]],
  ['0.0000000019', [0, 1]],
  ['-1.0000000001', [-2, 999_999_999]],
  ['-0.9999999999', [-1, 0]],
  ['-5.', [-5, 0]],
  ['12.5', [12, 500_000_000]],
] as const)('a time of %s seconds is what GNU tar makes of it', ([text, expected]) => {
  const [entry] = read(tarArchive([{ name: 'a', pax: { mtime: text } }])).entries;
  expect([entry?.mtimeSeconds, entry?.mtimeNanoseconds]).toEqual(expected);
});
