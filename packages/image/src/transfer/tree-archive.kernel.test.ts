import { execFileSync } from 'node:child_process';
import { createReadStream, createWriteStream, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { AT_FDCWD, type Op, run, S_IF } from '@lamella/syscall';
import { requiresProgram, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { describeTree, treeLines } from '@lamella-test/tree';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyLayer, getFiles, treeArchive } from '../index.js';
import { TarReader } from '../tar/reader.js';

interface Made {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'fifo' | 'hardlink';
  readonly data: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly time: readonly [seconds: number, nanoseconds: number];
  readonly xattrs: Readonly<Record<string, Uint8Array>>;
}

const nanoseconds = fc.oneof(fc.constantFrom(0, 1, 250_000_000, 999_999_999), fc.nat(999_999_999));
const seconds = fc.oneof(fc.constantFrom(-1, 0, 1, -2_000_000_000, 2 ** 31, 8_000_000_000), fc.integer({ min: -(2 ** 31), max: 2 ** 33 }));
const id = fc.constantFrom(0, 1000, 2_097_151, 2_097_152, 4_294_967_294);
/** Bytes of names: long ones, some that are not UTF-8, some that tools take for something else. */
const part = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\n', '\xe9', '\xff', '=', '%', '\\', '"', "'", '*'), minLength: 1, maxLength: 20 }),
  fc.integer({ min: 95, max: 255 }).map((length) => 'n'.repeat(length)),
);
const attribute = fc
  .string({ unit: fc.constantFrom('a', '.', '=', '%', '3', 'D', '2', '5', ' ', '\xe9'), minLength: 1, maxLength: 12 })
  .map((name) => `user.${name}`);
const made: fc.Arbitrary<Made> = fc.record({
  name: fc.oneof(
    part,
    fc.tuple(part, part).map((parts) => parts.join('/')),
  ),
  kind: fc.constantFrom('file', 'file', 'directory', 'symlink', 'fifo', 'hardlink'),
  data: fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 200 }),
  uid: id,
  gid: id,
  mode: fc.constantFrom(0o644, 0o600, 0o4755, 0o1777, 0),
  time: fc.tuple(seconds, nanoseconds),
  xattrs: fc.dictionary(attribute, fc.uint8Array({ maxLength: 60 }), { maxKeys: 2 }),
});

const bytes = (at: ScratchDirectory, name: string): Buffer => Buffer.concat([Buffer.from(`${at.join('tree')}/`), Buffer.from(name, 'latin1')]);

/** Makes what can be made; times come last. */
async function make(at: ScratchDirectory, objects: readonly Made[]): Promise<void> {
  mkdirSync(at.join('tree'));
  const done: Made[] = [];
  for (const each of objects) {
    const { name, kind, data } = each;
    const parents = name.split('/').slice(0, -1);
    if (done.some((other) => other.name === name || (other.kind !== 'directory' && name.startsWith(`${other.name}/`)) || other.name.startsWith(`${name}/`)))
      continue;
    if (parents[0] !== undefined) mkdirSync(bytes(at, parents[0]), { recursive: true });
    const of = { dirfd: AT_FDCWD, pathname: bytes(at, name) } as const;
    const first = done.find((other) => other.kind === 'file');
    if (kind === 'directory') mkdirSync(bytes(at, name));
    else if (kind === 'file' || (kind === 'hardlink' && !first)) writeFileSync(bytes(at, name), data, 'latin1');
    else if (kind === 'hardlink' && first) {
      await run([{ op: 'linkat', olddirfd: AT_FDCWD, oldpath: bytes(at, first.name), newdirfd: AT_FDCWD, newpath: of.pathname, flags: 0 }]);
      done.push(each);
      continue;
    } else if (kind === 'symlink') await run([{ op: 'symlinkat', target: `to/${'x'.repeat(data.length)}`, newdirfd: AT_FDCWD, linkpath: of.pathname }]);
    else await run([{ op: 'mknodat', ...of, mode: S_IF.IFIFO | 0o640, major: 0, minor: 0 }]);
    done.push(kind === 'hardlink' ? { ...each, kind: 'file' } : each);
  }
  const program: Op[] = [];
  for (const { name, kind, uid, gid, mode, xattrs } of done) {
    if (kind === 'hardlink') continue;
    const of = { dirfd: AT_FDCWD, pathname: bytes(at, name) };
    program.push({ op: 'fchownat', ...of, owner: uid, group: gid, flags: 0x100 });
    if (kind !== 'symlink') program.push({ op: 'fchmodat', ...of, mode });
    if (kind === 'file' || kind === 'directory')
      for (const [key, value] of Object.entries(xattrs))
        program.push({ op: 'lsetxattr', path: of.pathname, name: Buffer.from(key, 'latin1'), value: Buffer.from(value), flags: 0 });
  }
  for (const { name, time } of done.toSorted((a, b) => b.name.length - a.name.length))
    program.push({
      op: 'utimensat',
      dirfd: AT_FDCWD,
      pathname: bytes(at, name),
      atime_sec: 0,
      atime_nsec: 0,
      mtime_sec: time[0],
      mtime_nsec: time[1],
      flags: 0x100,
    });
  await run(program);
}

test('GNU tar and we read of a tree what it is: times of every age, owners, names and attributes of any bytes', { timeout: 300_000 }, async (context) => {
  requiresRoot(context);
  const tar = requiresProgram(context, 'tar');
  await fc.assert(
    fc.asyncProperty(fc.array(made, { minLength: 1, maxLength: 6 }), async (objects) => {
      await using at = scratch();
      await make(at, objects);
      await pipeline(getFiles(at.path, 'tree', '.'), createWriteStream(at.join('archive.tar')));
      mkdirSync(at.join('theirs'));
      mkdirSync(at.join('ours'));
      execFileSync(
        tar,
        ['-C', at.join('theirs'), '--numeric-owner', '--xattrs', '--xattrs-include=*', '--warning=no-timestamp', '-xpf', at.join('archive.tar')],
        {
          stdio: ['ignore', 'ignore', 'inherit'],
        },
      );
      await applyLayer(createReadStream(at.join('archive.tar')), at.join('ours'));
      const whole = treeLines(await describeTree(at.join('tree')));
      expect(treeLines(await describeTree(at.join('theirs')))).toEqual(whole);
      expect(treeLines(await describeTree(at.join('ours')))).toEqual(whole);
    }),
    { numRuns: process.env.LAMELLA_LONG ? 2000 : 15, seed: Number(process.env.LAMELLA_SEED ?? 20261127) },
  );
});

test('a file of more than 8 GiB says so', async () => {
  await using at = scratch();
  mkdirSync(at.join('tree'));
  writeFileSync(at.join('tree/huge'), '');
  truncateSync(at.join('tree/huge'), 9 * 2 ** 30);
  const sizes: number[] = [];
  const reader = new TarReader({ entry: ({ size }) => sizes.push(size), data: () => undefined, end: () => undefined });
  const archive = getFiles(at.join('tree'), 'huge', 'huge');
  for await (const chunk of archive) {
    reader.write(chunk as Buffer);
    if (sizes.length) break;
  }
  expect(sizes).toEqual([9 * 2 ** 30]);
});

test('a file whose name would hide another in an image is not made a part of one', async () => {
  await using at = scratch();
  mkdirSync(at.join('tree/d'), { recursive: true });
  writeFileSync(at.join('tree/d/.wh.b'), 'content');
  const program: Op[] = [
    { op: 'openat', dirfd: AT_FDCWD, pathname: at.join('tree'), flags: 0x10000, mode: 0, out: 5 },
    { op: 'walk', dirfd: 5, content: 1, pathname: '.' },
  ];
  await expect(Array.fromAsync(treeArchive(program, '.', { layer: { marks: 'user' } }))).rejects.toMatchObject({
    code: 'LAYER_NAME_RESERVED',
    message: expect.stringContaining("'d/.wh.b'"),
  });
});
