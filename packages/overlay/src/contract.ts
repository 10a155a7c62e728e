import assert from 'node:assert/strict';
import { appendFile, link, lstat, mkdir, readdir, readFile, readlink, rename, rm, rmdir, stat, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AT_FDCWD, mapSingleId, type Program, run, S_IF } from '@lamella/syscall';
import type { OverlayStack } from './stack.js';

/** What a case of the contract needs of an implementation. */
export interface StackImplementation {
  /** Joins layers. `path` of the result is where this process sees them; disposing takes them apart. */
  mount(stack: OverlayStack): Promise<AsyncDisposable & { readonly path: string }>;
  /** Where it keeps its marks: in `trusted.overlay.*`, in `user.overlay.*` in a user namespace, or in `.wh.` files. */
  readonly marks: 'trusted' | 'user' | 'files';
  /** Permission bits that a copy-up keeps. Default: all, 0o7777. */
  readonly modeBits?: number;
  /** Bytes that a name may have. Default: 255, as everywhere. */
  readonly nameMax?: number;
}

/** One promise of a stack. `run` rejects (AssertionError) when it is broken. */
export interface ContractCase {
  readonly name: string;
  /** @param directory absolute path of an empty directory, which the case fills and leaves unmounted */
  readonly run: (implementation: StackImplementation, directory: string) => Promise<void>;
}

/** Directories of a case: `lowers` are the topmost first. */
interface Layers {
  readonly lowers: readonly string[];
  readonly stack: OverlayStack;
  lower(number: number, ...name: string[]): string;
  upper(...name: string[]): string;
}

async function layers(directory: string, count = 2): Promise<Layers> {
  const lowers = Array.from({ length: count }, (_, i) => path.join(directory, `lower${i}`));
  const [upperdir, workdir, merged] = ['upper', 'work', 'merged'].map((name) => path.join(directory, name)) as [string, string, string];
  for (const each of [...lowers, upperdir, workdir, merged]) await mkdir(each);
  return {
    lowers,
    stack: { lowerdirs: lowers, upperdir, workdir, merged },
    lower: (number, ...name) => path.join(lowers[number] ?? '', ...name),
    upper: (...name) => path.join(upperdir, ...name),
  };
}

/** Ops that only root may do, or root in a user namespace. */
async function privileged(ops: Program): Promise<void> {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  await run(uid === 0 ? ops : [{ op: 'unshare', flags: 0x10000000 }, ...mapSingleId({ uid, gid }), ...ops]);
}

const exists = (file: string): Promise<boolean> =>
  lstat(file).then(
    () => true,
    () => false,
  );

/**
 * What every way of joining layers must do, as cases for any test runner:
 *
 *     for (const each of STACK_CONTRACT) test(each.name, () => each.run(implementation, emptyDirectory()));
 */
export const STACK_CONTRACT: readonly ContractCase[] = [
  {
    name: 'reads through to the topmost layer that has a name',
    async run({ mount }, directory) {
      const at = await layers(directory);
      await writeFile(at.lower(0, 'both'), 'top');
      await writeFile(at.lower(1, 'both'), 'bottom');
      await writeFile(at.lower(1, 'below'), 'bottom');
      await mkdir(at.lower(0, 'dir'));
      await mkdir(at.lower(1, 'dir'));
      await writeFile(at.lower(0, 'dir/a'), '');
      await writeFile(at.lower(1, 'dir/b'), '');
      await using mounted = await mount(at.stack);
      assert.equal(await readFile(path.join(mounted.path, 'both'), 'utf8'), 'top');
      assert.equal(await readFile(path.join(mounted.path, 'below'), 'utf8'), 'bottom');
      assert.deepEqual((await readdir(path.join(mounted.path, 'dir'))).sort(), ['a', 'b']);
    },
  },
  {
    name: 'writes go to the upper, and the lowers stay what they were',
    async run({ mount }, directory) {
      const at = await layers(directory);
      await writeFile(at.lower(0, 'file'), 'old');
      const before = await stat(at.lower(0, 'file'), { bigint: true });
      {
        await using mounted = await mount(at.stack);
        await writeFile(path.join(mounted.path, 'file'), 'new');
        await writeFile(path.join(mounted.path, 'more'), 'more');
      }
      const after = await stat(at.lower(0, 'file'), { bigint: true });
      assert.equal(await readFile(at.lower(0, 'file'), 'utf8'), 'old');
      assert.deepEqual([after.mtimeNs, after.ctimeNs], [before.mtimeNs, before.ctimeNs]);
      assert.equal(await readFile(at.upper('file'), 'utf8'), 'new');
      assert.deepEqual((await readdir(at.upper())).sort(), ['file', 'more']);
    },
  },
  {
    name: 'copy-up keeps mode, owner, times and extended attributes',
    async run({ mount, modeBits = 0o7777 }, directory) {
      const at = await layers(directory);
      const file = at.lower(1, 'file');
      await writeFile(file, 'data', { mode: 0o600 });
      await run([
        { op: 'fchmodat', dirfd: AT_FDCWD, pathname: file, mode: 0o4751 & modeBits },
        { op: 'lsetxattr', path: file, name: 'user.kept', value: 'yes', flags: 0 },
        { op: 'utimensat', dirfd: AT_FDCWD, pathname: file, atime_sec: 1, atime_nsec: 2, mtime_sec: 1_234_567_890, mtime_nsec: 987_654_321, flags: 0 },
      ]);
      await using mounted = await mount(at.stack);
      const merged = path.join(mounted.path, 'file');
      const before = await stat(merged, { bigint: true });
      // A link copies up and changes nothing of the file itself.
      await link(merged, path.join(mounted.path, 'name'));
      const after = await stat(merged, { bigint: true });
      assert.deepEqual([after.mode, after.uid, after.gid, after.mtimeNs, after.size], [before.mode, before.uid, before.gid, 1_234_567_890_987_654_321n, 4n]);
      const copied = await stat(at.upper('file'), { bigint: true });
      assert.deepEqual([copied.mode & 0o7777n, copied.mtimeNs], [BigInt(0o4751 & modeBits), 1_234_567_890_987_654_321n]);
      // XATTR_CREATE says EEXIST when the attribute is there.
      await assert.rejects(run([{ op: 'lsetxattr', path: at.upper('file'), name: 'user.kept', value: 'x', flags: 1 }]), { code: 'EEXIST' });
    },
  },
  {
    name: 'what is deleted stays deleted in the next mount, and stays in its layer',
    async run({ mount }, directory) {
      const at = await layers(directory);
      await writeFile(at.lower(0, 'file'), '');
      await mkdir(at.lower(1, 'dir/sub'), { recursive: true });
      await writeFile(at.lower(1, 'dir/sub/file'), '');
      {
        await using mounted = await mount(at.stack);
        await unlink(path.join(mounted.path, 'file'));
        await rm(path.join(mounted.path, 'dir'), { recursive: true });
        assert.deepEqual(await readdir(mounted.path), []);
      }
      await using again = await mount(at.stack);
      assert.deepEqual(await readdir(again.path), []);
      assert.deepEqual([await exists(at.lower(0, 'file')), await exists(at.lower(1, 'dir/sub/file'))], [true, true]);
    },
  },
  {
    name: 'a directory made anew shows nothing of the one it replaced',
    async run({ mount }, directory) {
      const at = await layers(directory);
      await mkdir(at.lower(0, 'dir'));
      await writeFile(at.lower(0, 'dir/old'), '');
      {
        await using mounted = await mount(at.stack);
        await rm(path.join(mounted.path, 'dir'), { recursive: true });
        await mkdir(path.join(mounted.path, 'dir'));
        await writeFile(path.join(mounted.path, 'dir/new'), '');
      }
      await using again = await mount(at.stack);
      assert.deepEqual(await readdir(path.join(again.path, 'dir')), ['new']);
    },
  },
  {
    name: "a layer's whiteouts and opaque directories hide what is below them",
    async run({ mount, marks }, directory) {
      const at = await layers(directory, 3);
      for (const name of ['gone', 'dir/below', 'dir/again']) {
        await mkdir(path.dirname(at.lower(2, name)), { recursive: true });
        await writeFile(at.lower(2, name), 'bottom');
      }
      await mkdir(at.lower(1, 'dir'));
      await writeFile(at.lower(0, 'top'), '');
      if (marks === 'files') for (const name of ['.wh.gone', 'dir/.wh..wh..opq']) await writeFile(at.lower(1, name), '');
      else
        await privileged([
          { op: 'mknodat', dirfd: AT_FDCWD, pathname: at.lower(1, 'gone'), mode: S_IF.IFCHR, major: 0, minor: 0 },
          { op: 'lsetxattr', path: at.lower(1, 'dir'), name: `${marks}.overlay.opaque`, value: 'y', flags: 0 },
        ]);
      await writeFile(at.lower(1, 'dir/again'), 'middle');
      await using mounted = await mount(at.stack);
      assert.deepEqual((await readdir(mounted.path)).sort(), ['dir', 'top']);
      assert.deepEqual(await readdir(path.join(mounted.path, 'dir')), ['again']);
      assert.equal(await readFile(path.join(mounted.path, 'dir/again'), 'utf8'), 'middle');
      assert.equal(await exists(path.join(mounted.path, 'gone')), false);
    },
  },
  {
    name: 'a directory of a layer is renamed whole or not at all',
    async run({ mount }, directory) {
      const at = await layers(directory);
      await mkdir(at.lower(1, 'from/sub'), { recursive: true });
      await writeFile(at.lower(1, 'from/sub/file'), 'data');
      await using mounted = await mount(at.stack);
      const [from, to] = [path.join(mounted.path, 'from'), path.join(mounted.path, 'to')];
      const moved = await rename(from, to).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          assert.equal(error.code, 'EXDEV');
          return false;
        },
      );
      assert.equal(await readFile(path.join(moved ? to : from, 'sub/file'), 'utf8'), 'data');
      assert.equal(await exists(moved ? from : to), false);
      await mkdir(path.join(mounted.path, 'new'));
      await writeFile(path.join(mounted.path, 'new/file'), 'mine');
      await rename(path.join(mounted.path, 'new'), path.join(mounted.path, 'newer'));
      assert.equal(await readFile(path.join(mounted.path, 'newer/file'), 'utf8'), 'mine');
    },
  },
  {
    name: 'files and directories take the place of each other',
    async run({ mount }, directory) {
      const at = await layers(directory);
      await writeFile(at.lower(0, 'file'), '');
      await mkdir(at.lower(0, 'dir'));
      {
        await using mounted = await mount(at.stack);
        await unlink(path.join(mounted.path, 'file'));
        await mkdir(path.join(mounted.path, 'file'));
        await rmdir(path.join(mounted.path, 'dir'));
        await writeFile(path.join(mounted.path, 'dir'), 'now a file');
      }
      await using again = await mount(at.stack);
      assert.equal((await lstat(path.join(again.path, 'file'))).isDirectory(), true);
      assert.equal(await readFile(path.join(again.path, 'dir'), 'utf8'), 'now a file');
    },
  },
  {
    name: 'hard links made in the merged view share their data',
    async run({ mount }, directory) {
      const at = await layers(directory);
      await writeFile(at.lower(0, 'file'), 'one');
      await using mounted = await mount(at.stack);
      const [first, second] = [path.join(mounted.path, 'file'), path.join(mounted.path, 'link')];
      await link(first, second);
      await appendFile(second, ' two');
      assert.equal(await readFile(first, 'utf8'), 'one two');
      assert.equal((await stat(first)).nlink, 2);
      assert.equal(await readFile(at.lower(0, 'file'), 'utf8'), 'one');
    },
  },
  {
    name: 'symbolic links are kept as they are, dangling ones too',
    async run({ mount }, directory) {
      const at = await layers(directory);
      await symlink('/no/such/place', at.lower(1, 'dangling'));
      await using mounted = await mount(at.stack);
      await symlink('../relative', path.join(mounted.path, 'new'));
      assert.equal(await readlink(path.join(mounted.path, 'dangling')), '/no/such/place');
      assert.equal(await readlink(at.upper('new')), '../relative');
    },
  },
  {
    name: 'sixty layers are as good as one',
    async run({ mount }, directory) {
      const at = await layers(directory, 60);
      for (const [i] of at.lowers.entries()) {
        await writeFile(at.lower(i, `only-${i}`), String(i));
        await writeFile(at.lower(i, 'all'), String(i));
      }
      await using mounted = await mount(at.stack);
      assert.equal((await readdir(mounted.path)).length, 61);
      assert.equal(await readFile(path.join(mounted.path, 'all'), 'utf8'), '0');
      assert.equal(await readFile(path.join(mounted.path, 'only-59'), 'utf8'), '59');
    },
  },
  {
    name: 'writers at the same time lose nothing of each other',
    async run({ mount }, directory) {
      const at = await layers(directory);
      await writeFile(at.lower(1, 'log'), 'start\n');
      await using mounted = await mount(at.stack);
      const log = path.join(mounted.path, 'log');
      await Promise.all(Array.from({ length: 16 }, (_, i) => appendFile(log, `${String(i).padStart(3, '0')}\n`)));
      await Promise.all(Array.from({ length: 16 }, (_, i) => writeFile(path.join(mounted.path, `file-${i}`), String(i))));
      const lines = (await readFile(log, 'utf8')).trim().split('\n');
      assert.deepEqual(lines.toSorted(), [...Array.from({ length: 16 }, (_, i) => String(i).padStart(3, '0')), 'start']);
      assert.equal((await readdir(mounted.path)).length, 17);
    },
  },
  {
    name: 'names of any kind work',
    async run({ mount, nameMax = 255 }, directory) {
      const at = await layers(directory);
      const names = ['with space', 'new\nline', 'com,ma', 'co:lon', 'back\\slash', 'ünïcödé', '日本', '-dash', 'a'.repeat(nameMax)];
      for (const name of names) await writeFile(at.lower(0, name), name);
      await using mounted = await mount(at.stack);
      for (const name of names) {
        await appendFile(path.join(mounted.path, name), '+');
        assert.equal(await readFile(at.upper(name), 'utf8'), `${name}+`);
      }
    },
  },
  {
    name: 'times set inside are the times in the upper',
    async run({ mount }, directory) {
      const at = await layers(directory);
      await mkdir(at.lower(0, 'dir'));
      await using mounted = await mount(at.stack);
      await utimes(path.join(mounted.path, 'dir'), 100, 200);
      assert.equal((await stat(at.upper('dir'))).mtimeMs, 200_000);
    },
  },
];
