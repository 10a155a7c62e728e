import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  createReadStream,
  existsSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { AT_FDCWD, run, S_IF } from '@lamella/syscall';
import { requiresProgram, requiresRoot, type ScratchDirectory, scratch, scratchOnOverlay } from '@lamella-test/scratch';
import { describeTree, type Member, tarArchive, treeLines } from '@lamella-test/tree';
import { describe, expect, test } from 'vitest';
import type { AppliedLayer } from '../model/applied-layer.js';
import type { ApplyOptions } from '../model/apply-options.js';
import { applyLayer } from './apply-layer.js';

/** Unpack bytes into a new directory, `into`. */
async function apply(at: ScratchDirectory, archive: Uint8Array | Readable, options: ApplyOptions = {}, into = 'layer'): Promise<AppliedLayer> {
  mkdirSync(at.join(into));
  return applyLayer(archive instanceof Readable ? archive : Readable.from([Buffer.from(archive)]), at.join(into), options);
}

async function lines(directory: string, without: Parameters<typeof treeLines>[1] = {}): Promise<string[]> {
  return treeLines(await describeTree(directory), without);
}

/** Everything a file system can hold and a tar can say. */
async function everything(directory: string): Promise<void> {
  mkdirSync(`${directory}/dir/deep/er`, { recursive: true });
  writeFileSync(`${directory}/dir/file`, 'content');
  writeFileSync(`${directory}/empty`, '');
  writeFileSync(`${directory}/setuid`, '#!');
  writeFileSync(`${directory}/dir/big`, Buffer.alloc(1_500_000, 'z'));
  linkSync(`${directory}/dir/file`, `${directory}/hard`);
  symlinkSync('/absolute/target', `${directory}/absolute`);
  symlinkSync('../dangling', `${directory}/dir/dangling`);
  const long = `${directory}/${'long-directory-name-'.repeat(6)}/${'x'.repeat(200)}`;
  mkdirSync(long, { recursive: true });
  writeFileSync(`${long}/${'y'.repeat(150)}`, 'far down');
  writeFileSync(Buffer.concat([Buffer.from(`${directory}/bytes-`), Buffer.from([0xff, 0xe9])]), 'not UTF-8');
  writeFileSync(`${directory}/new\nline "quoted"`, '');
  const sparse = openSync(`${directory}/sparse`, 'w');
  for (const offset of [0, 400_000, 3_000_000]) writeSync(sparse, `at ${offset}`, offset);
  ftruncateSync(sparse, 8_000_000);
  closeSync(sparse);
  const of = (pathname: string): { dirfd: number; pathname: string } => ({ dirfd: AT_FDCWD, pathname: `${directory}/${pathname}` });
  await run([
    { op: 'mknodat', ...of('fifo'), mode: S_IF.IFIFO | 0o640, major: 0, minor: 0 },
    { op: 'mknodat', ...of('char'), mode: S_IF.IFCHR | 0o620, major: 4, minor: 66 },
    { op: 'mknodat', ...of('block'), mode: S_IF.IFBLK | 0o660, major: 259, minor: 70000 },
    { op: 'fchownat', ...of('setuid'), owner: 12, group: 34, flags: 0 },
    { op: 'fchmodat', ...of('setuid'), mode: 0o6755 },
    { op: 'fchownat', ...of('absolute'), owner: 7, group: 8, flags: 0x100 },
    { op: 'fchownat', ...of('dir/deep'), owner: 1000, group: 1001, flags: 0 },
    { op: 'fchmodat', ...of('dir/deep'), mode: 0o3771 },
    { op: 'fchownat', ...of('char'), owner: 5, group: 5, flags: 0 },
    { op: 'lsetxattr', path: `${directory}/dir/file`, name: 'user.text', value: 'value', flags: 0 },
    { op: 'lsetxattr', path: `${directory}/dir/deep`, name: 'trusted.bytes', value: Buffer.from([0, 1, 254, 255]), flags: 0 },
    // cap_net_raw+ep, version 2 (linux/capability.h, struct vfs_cap_data).
    {
      op: 'lsetxattr',
      path: `${directory}/empty`,
      name: 'security.capability',
      value: Buffer.from('0100000200200000000000000000000000000000', 'hex'),
      flags: 0,
    },
    ...['dir/file', 'absolute', 'fifo', 'char', 'sparse', 'empty', 'setuid'].map((name, i) => ({
      op: 'utimensat' as const,
      ...of(name),
      atime_sec: 0,
      atime_nsec: 0,
      mtime_sec: 1_500_000_000 + i,
      mtime_nsec: 111_111_111 * i,
      flags: 0x100,
    })),
    { op: 'utimensat', ...of('dir'), atime_sec: 0, atime_nsec: 0, mtime_sec: 1_400_000_000, mtime_nsec: 5, flags: 0 },
    { op: 'utimensat', ...of('.'), atime_sec: 0, atime_nsec: 0, mtime_sec: 1_300_000_000, mtime_nsec: 6, flags: 0 },
  ]);
}

describe('what GNU tar wrote is unpacked as it was', () => {
  test.for([
    ['pax', ['--format=pax', '--xattrs', '--xattrs-include=*']],
    ['pax with holes, 1.0', ['--format=pax', '--xattrs', '--xattrs-include=*', '--sparse', '--sparse-version=1.0']],
    ['pax with holes, 0.1', ['--format=pax', '--xattrs', '--xattrs-include=*', '--sparse', '--sparse-version=0.1']],
    ['pax with holes, 0.0', ['--format=pax', '--xattrs', '--xattrs-include=*', '--sparse', '--sparse-version=0.0']],
    ['gnu', ['--format=gnu']],
    ['gnu with holes', ['--format=gnu', '--sparse']],
    ['oldgnu', ['--format=oldgnu']],
  ] as const)('%s', async ([format, options], context) => {
    requiresRoot(context);
    const tar = requiresProgram(context, 'tar');
    await using at = scratch();
    mkdirSync(at.join('original'));
    await everything(at.join('original'));
    execFileSync(tar, [...options, '-C', at.join('original'), '-cf', at.join('archive.tar'), '.'], { stdio: ['ignore', 'ignore', 'inherit'] });
    const applied = await apply(at, createReadStream(at.join('archive.tar')));
    expect(applied.warnings).toEqual([]);
    const pax = format.startsWith('pax');
    // GNU's own format has whole seconds and no attributes; without --sparse holes are written out.
    const without = [...(pax ? [] : (['xattrs', 'mtime'] as const)), ...(format.includes('holes') ? [] : (['sparse'] as const))];
    expect(await lines(at.join('layer'), { without })).toEqual(await lines(at.join('original'), { without }));
  });
});

test.for([
  ['plain', (tar: Buffer) => tar, 'none'],
  ['gzip', (tar: Buffer) => gzipSync(tar), 'gzip'],
  ['gzip of two members', (tar: Buffer) => Buffer.concat([gzipSync(tar.subarray(0, 512)), gzipSync(tar.subarray(512))]), 'gzip'],
  ['zstd', (tar: Buffer) => zstdCompressSync(tar), 'zstd'],
  ['xz', (tar: Buffer) => spawnSync('xz', ['-c'], { input: tar }).stdout, 'none'],
] as const)('%s archives have the diffID of their content', async ([name, compress, compression], context) => {
  if (name === 'xz') requiresProgram(context, 'xz');
  await using at = scratch();
  const tar = tarArchive([{ name: 'file', data: 'x'.repeat(300_000) }]);
  const { createHash } = await import('node:crypto');
  const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const archive = compress(tar);
  const applied = await apply(at, archive);
  expect(applied).toMatchObject({
    diffID: sha256(tar),
    uncompressedSize: tar.length,
    entries: 1,
    blob: { compression, digest: sha256(name === 'xz' ? tar : archive) },
  });
  expect(readFileSync(at.join('layer/file'), 'utf8')).toHaveLength(300_000);
});

test.for([
  ['a gzip that is cut off', () => gzipSync(tarArchive([{ name: 'f', data: 'x'.repeat(9999) }])).subarray(0, 60), 'TAR_TRUNCATED'],
  [
    'a gzip that is damaged',
    () => {
      const archive = gzipSync(tarArchive([{ name: 'f', data: Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) % 251)) }]));
      archive.fill(0x55, 40, 60);
      return archive;
    },
    /ARCHIVE_CORRUPT|TAR_/,
  ],
  ['a zstd that is cut off', () => zstdCompressSync(tarArchive([{ name: 'f', data: 'x'.repeat(9999) }])).subarray(0, 40), /TAR_TRUNCATED|ARCHIVE_CORRUPT/],
  ['bzip2', () => Buffer.from('BZh91AY&SY'), 'ARCHIVE_COMPRESSION'],
  ['a zip', () => Buffer.from('PK\x03\x04xxxxxxxx'), 'ARCHIVE_COMPRESSION'],
] as const)('%s is refused', async ([, archive, code]) => {
  await using at = scratch();
  const error = await apply(at, archive()).catch((problem: unknown) => problem);
  expect((error as { code: string }).code).toMatch(code);
  expect((error as { hint: string }).hint).toMatch(/\w/);
});

describe('a hostile archive', () => {
  const outside = 'outside-of-the-jail';

  test.for<[string, Member[], string]>([
    ['climbs out by ..', [{ name: '../escaped', data: 'x' }], 'LAYER_PATH_ESCAPES'],
    ['climbs out deep in a path', [{ name: 'a/b/../../../escaped', data: 'x' }], 'LAYER_PATH_ESCAPES'],
    ['links out of the layer', [{ name: 'link', type: '1', linkname: '../../etc/passwd' }], 'LAYER_PATH_ESCAPES'],
    ['links to what is not there', [{ name: 'link', type: '1', linkname: 'etc/passwd' }], 'LAYER_ENTRY_FAILED'],
    ['has a NUL in a name', [{ name: 'x', pax: { path: 'a\0b' } }], 'LAYER_PATH_INVALID'],
    ['has a name of 5000 bytes', [{ name: 'x', pax: { path: `${'d/'.repeat(2500)}f` } }], 'LAYER_PATH_INVALID'],
    ['has a part of a name of 300 bytes', [{ name: 'x', pax: { path: 'n'.repeat(300) } }], 'LAYER_ENTRY_FAILED'],
    [
      'has links in a circle',
      [
        { name: 'a', type: '2', linkname: 'b' },
        { name: 'b', type: '2', linkname: 'a' },
        { name: 'a/file', data: 'x' },
      ],
      'LAYER_ENTRY_FAILED',
    ],
    ['replaces the root by a file', [{ name: '.', type: '0', data: 'x' }], 'LAYER_PATH_INVALID'],
    [
      'puts a file under a file',
      [
        { name: 'f', data: 'x' },
        { name: 'f/below', data: 'x' },
      ],
      'LAYER_ENTRY_FAILED',
    ],
    ['has a whiteout of ..', [{ name: 'd/.wh...', data: '' }], 'LAYER_PATH_INVALID'],
    ['has a symbolic link to nothing', [{ name: 'l', type: '2', linkname: '' }], 'LAYER_LINK_INVALID'],
  ])('that %s is refused by name', async ([, members, code]) => {
    await using at = scratch();
    const error = (await apply(at, tarArchive(members)).catch((problem: unknown) => problem)) as Error & { code: string; hint: string };
    expect(error).toMatchObject({ code, hint: expect.stringMatching(/\w/) });
    expect(error.message).toMatch(/'/);
    expect(readdirSync(at.path)).toEqual(['layer']);
  });

  test('with absolute names and links stays inside, as with Docker', async (context) => {
    requiresRoot(context);
    await using at = scratch();
    writeFileSync(at.join(outside), 'precious');
    const up = '../'.repeat(40);
    await apply(
      at,
      tarArchive([
        { name: '/absolute/file', data: 'inside' },
        { name: 'to-root', type: '2', linkname: '/' },
        { name: 'to-root/through-root', data: 'inside' },
        { name: 'upwards', type: '2', linkname: up },
        { name: 'upwards/through-up', data: 'inside' },
        { name: 'to-host', type: '2', linkname: at.path },
        { name: `to-host/${outside}`, data: 'overwritten' },
      ]).subarray(0, -1024),
    ).then(
      () => expect.unreachable('the link leads to what the layer does not have'),
      (error: { code: string }) => expect(error.code).toBe('LAYER_ENTRY_FAILED'),
    );
    expect(readFileSync(at.join(outside), 'utf8')).toBe('precious');
    expect(readFileSync(at.join('layer/through-root'), 'utf8')).toBe('inside');
    expect(readFileSync(at.join('layer/through-up'), 'utf8')).toBe('inside');
    expect(readFileSync(at.join('layer/absolute/file'), 'utf8')).toBe('inside');
  });

  test('cannot write through a symbolic link that it made', async () => {
    await using at = scratch();
    writeFileSync(at.join(outside), 'precious');
    await apply(
      at,
      tarArchive([
        { name: 'f', type: '2', linkname: `../${outside}` },
        { name: 'f', data: 'replaced the link' },
      ]),
    );
    expect([readFileSync(at.join(outside), 'utf8'), readFileSync(at.join('layer/f'), 'utf8')]).toEqual(['precious', 'replaced the link']);
  });

  test('whose hard link goes through its own symbolic link stays inside', async () => {
    await using at = scratch();
    const members: Member[] = [
      { name: 'd', type: '2', linkname: '/' },
      { name: 'real', data: 'x' },
      { name: 'hard', type: '1', linkname: 'd/real' },
    ];
    await apply(at, tarArchive(members));
    expect(statSync(at.join('layer/hard')).ino).toBe(statSync(at.join('layer/real')).ino);
  });

  test('cannot plant marks of overlayfs', async (context) => {
    requiresRoot(context);
    await using at = scratch();
    const pax = {
      'SCHILY.xattr.trusted.overlay.redirect': '/etc',
      'SCHILY.xattr.trusted.overlay.opaque': 'y',
      'SCHILY.xattr.user.overlay.opaque': 'y',
      'SCHILY.xattr.user.fine': 'v',
    };
    const { warnings } = await apply(at, tarArchive([{ name: 'd/', type: '5', pax }]));
    expect((await describeTree(at.join('layer'))).get('d')?.xattrs).toEqual(['user.fine=76']);
    expect(warnings).toEqual([expect.stringContaining('3 overlayfs attributes')]);
  });

  test('with more entries than allowed is refused before it fills the disk', async () => {
    await using at = scratch();
    const members = Array.from({ length: 2000 }, (_, i) => ({ name: `dev/null-${i}`, type: '3', major: 1, minor: 3 }));
    await expect(apply(at, tarArchive(members), { maxEntries: 1000 })).rejects.toMatchObject({ code: 'LAYER_TOO_MANY_ENTRIES', hint: expect.any(String) });
    expect(existsSync(at.join('layer/dev')) ? readdirSync(at.join('layer/dev')).length : 0).toBeLessThanOrEqual(1000);
  });

  test('that fills the disk says so', async (context) => {
    requiresRoot(context);
    await using at = scratch();
    mkdirSync(at.join('small'));
    await run([{ op: 'mount', source: 'small', target: at.join('small'), filesystemtype: 'tmpfs', mountflags: 0, data: 'size=1m' }]);
    try {
      mkdirSync(at.join('small/layer'));
      const archive = tarArchive([{ name: 'victim', data: Buffer.alloc(4_000_000) }]);
      await expect(applyLayer(Readable.from([archive]), at.join('small/layer'))).rejects.toMatchObject({
        code: 'LAYER_NO_SPACE',
        message: expect.stringContaining("'victim'"),
      });
    } finally {
      await run([{ op: 'umount2', target: at.join('small'), flags: 0 }]);
    }
  });
});

describe('a later entry', () => {
  test('replaces an earlier one of its name, whatever the two are', async () => {
    await using at = scratch();
    await apply(
      at,
      tarArchive([
        { name: 'file', data: 'first' },
        { name: 'file', data: 'second' },
        { name: 'dir/below/file', data: 'x' },
        { name: 'dir', data: 'now a file' },
        { name: 'becomes', data: 'a file' },
        { name: 'becomes/', type: '5', mode: 0o711 },
        { name: 'becomes/inside', data: 'x' },
        { name: 'link', type: '2', linkname: 'file' },
        { name: 'link', type: '1', linkname: 'file' },
      ]),
    );
    expect(readFileSync(at.join('layer/file'), 'utf8')).toBe('second');
    expect(readFileSync(at.join('layer/dir'), 'utf8')).toBe('now a file');
    expect(readdirSync(at.join('layer/becomes'))).toEqual(['inside']);
    expect(statSync(at.join('layer/becomes')).mode & 0o777).toBe(0o711);
    expect(statSync(at.join('layer/link')).ino).toBe(statSync(at.join('layer/file')).ino);
  });

  test('merges directories: the last word on a directory counts', async () => {
    await using at = scratch();
    await apply(
      at,
      tarArchive([
        { name: 'd/', type: '5', mode: 0o700, mtime: 100 },
        { name: 'd/file', data: 'x', mtime: 50 },
        { name: 'd/', type: '5', mode: 0o755, mtime: 200 },
        { name: 'd/other', data: 'y' },
      ]),
    );
    const stat = statSync(at.join('layer/d'));
    expect([stat.mode & 0o777, stat.mtimeMs, readdirSync(at.join('layer/d')).sort()]).toEqual([0o755, 200_000, ['file', 'other']]);
  });

  test('may use a directory that is a symbolic link', async () => {
    await using at = scratch();
    await apply(
      at,
      tarArchive([
        { name: 'usr/bin/', type: '5' },
        { name: 'bin', type: '2', linkname: 'usr/bin' },
        { name: 'bin/tool', data: 'x' },
      ]),
    );
    expect(readdirSync(at.join('layer/usr/bin'))).toEqual(['tool']);
    expect(readlinkSync(at.join('layer/bin'))).toBe('usr/bin');
  });

  test('may link to itself and to a symbolic link', async () => {
    await using at = scratch();
    await apply(
      at,
      tarArchive([
        { name: 'f', data: 'x' },
        { name: 'f', type: '1', linkname: 'f' },
        { name: 's', type: '2', linkname: 'nowhere' },
        { name: 'h', type: '1', linkname: 's' },
      ]),
    );
    expect([readFileSync(at.join('layer/f'), 'utf8'), readlinkSync(at.join('layer/h'))]).toEqual(['x', 'nowhere']);
  });
});

describe('whiteouts', () => {
  const whiteout = (tree: Awaited<ReturnType<typeof describeTree>>, name: string): boolean => tree.get(name)?.type === 'character 0:0';

  test('become those of overlayfs, in whatever order a layer lists them', async (context) => {
    requiresRoot(context);
    for (const reversed of [false, true]) {
      await using at = scratch();
      const members: Member[] = [
        { name: 'gone/.wh.file' },
        { name: 'opaque/.wh..wh..opq' },
        { name: 'opaque/new', data: 'x' },
        { name: 'both/', type: '5' },
        { name: '.wh.both' },
        { name: '.wh.never-was' },
        { name: '.wh.re-created' },
        { name: 're-created', data: 'y' },
      ];
      const { implied } = await apply(at, tarArchive(reversed ? members.toReversed() : members));
      const tree = await describeTree(at.join('layer'));
      expect([whiteout(tree, 'gone/file'), whiteout(tree, 'never-was')]).toEqual([true, true]);
      expect(tree.get('opaque')?.xattrs).toEqual(['trusted.overlay.opaque=79']);
      // A directory that is hidden and made anew shows nothing of what was below it.
      expect(tree.get('both')).toMatchObject({ type: 'directory', xattrs: ['trusted.overlay.opaque=79'] });
      expect(tree.get('re-created')?.type).toBe('file');
      expect([...tree.keys()].filter((name) => name.includes('.wh.'))).toEqual([]);
      expect(implied.toSorted()).toEqual(['gone', 'opaque']);
    }
  });

  test('are files where overlayfs has no uppers, but where the layer has something itself', async (context) => {
    await using at = await scratchOnOverlay(context);
    const members: Member[] = [
      { name: 'gone/.wh.file' },
      { name: 'opaque/.wh..wh..opq' },
      { name: 'opaque/new', data: 'x' },
      { name: 'both/', type: '5' },
      { name: 'both/new', data: 'x' },
      { name: '.wh.both' },
      { name: '.wh.never-was' },
      { name: '.wh.re-created' },
      { name: 're-created', data: 'y' },
      { name: '.wh.link' },
      { name: 'link', type: '2', linkname: 'opaque' },
      { name: '.wh.dangling' },
      { name: 'dangling', type: '2', linkname: 'nowhere' },
      { name: 'through/', type: '5' },
      { name: 'alias', type: '2', linkname: 'through' },
      { name: 'through/own', data: 'z' },
      { name: 'alias/.wh.own' },
      { name: 'alias/.wh.other' },
    ];
    for (const [i, listed] of [members, members.toReversed()].entries()) {
      const applied = await apply(at, tarArchive(listed), {}, `layer-${i}`);
      expect(applied.marks).toBe('files');
      const tree = await describeTree(at.join(`layer-${i}`));
      expect([...tree].flatMap(([name, { type }]) => (type === 'directory' ? [] : [`${name} ${type}`])).toSorted()).toEqual([
        '.wh.never-was file',
        'alias symlink',
        'both/.wh..wh..opq file',
        'both/new file',
        'dangling symlink',
        'gone/.wh.file file',
        'link symlink',
        'opaque/.wh..wh..opq file',
        'opaque/new file',
        're-created file',
        'through/.wh.other file',
        'through/own file',
      ]);
      expect(readFileSync(at.join(`layer-${i}/re-created`), 'utf8')).toBe('y');
    }
  });

  test("aufs's own books are passed over", async () => {
    await using at = scratch();
    await apply(
      at,
      tarArchive([
        { name: '.wh..wh.plnk/', type: '5' },
        { name: '.wh..wh.aufs', data: '' },
        { name: 'f', data: '' },
      ]),
    );
    expect(readdirSync(at.join('layer'))).toEqual(['f']);
  });
});

test('aborting stops it, and the interpreter with it', async () => {
  await using at = scratch();
  const abort = new AbortController();
  const endless = Readable.from(
    (async function* () {
      yield tarArchive([{ name: 'endless', size: 2 ** 33 }], { end: false });
      for (;;) {
        yield Buffer.alloc(65536);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })(),
  );
  setTimeout(() => abort.abort(new Error('enough')), 60);
  await expect(apply(at, endless, { signal: abort.signal })).rejects.toThrow('enough');
});

test('an ordinary user unpacks what one id can hold, and is told what it cannot', { timeout: 60_000 }, async (context) => {
  requiresRoot(context);
  await using at = scratch();
  const archive = tarArchive([
    { name: 'd/', type: '5', mode: 0o755, uid: 5 },
    { name: 'd/file', data: 'x', uid: 1000, gid: 1000, mode: 0o4755 },
    { name: 'd/null', type: '3', major: 1, minor: 3 },
    { name: 'd/.wh.gone' },
    { name: 'o/.wh..wh..opq' },
  ]);
  writeFileSync(at.join('archive.tar'), archive);
  mkdirSync(at.join('layer'));
  await run([
    { op: 'fchownat', dirfd: AT_FDCWD, pathname: at.path, owner: 65534, group: 65534, flags: 0 },
    { op: 'fchownat', dirfd: AT_FDCWD, pathname: at.join('layer'), owner: 65534, group: 65534, flags: 0 },
  ]);
  const script = `import { createReadStream } from 'node:fs'; import { applyLayer } from ${JSON.stringify(`${import.meta.dirname}/../../dist/index.js`)};
    console.log(JSON.stringify(await applyLayer(createReadStream(${JSON.stringify(at.join('archive.tar'))}), ${JSON.stringify(at.join('layer'))})));`;
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], { uid: 65534, gid: 65534, encoding: 'utf8', cwd: '/' });
  expect(JSON.parse(out)).toMatchObject({ warnings: [expect.stringContaining('2 entries have owners'), expect.stringContaining('1 device nodes')] });
  const tree = await describeTree(at.join('layer'));
  expect(tree.get('d/file')).toMatchObject({ owner: '65534:65534', mode: '4755' });
  expect(tree.get('d/gone')?.type).toBe('character 0:0');
  expect(tree.get('o')?.xattrs).toEqual(['user.overlay.opaque=79']);
});
