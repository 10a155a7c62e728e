import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountOverlay } from '@lamella/overlay';
import { AT_FDCWD, isOwnAttribute, parseWalked, run, type Walked } from '@lamella/syscall';
import { findProgram, requiresProgram, requiresRoot, type ScratchDirectory, scratch, skip } from '@lamella-test/scratch';
import { beforeEach, expect, type TestContext, test } from 'vitest';
import type { CheckedMount } from '../../model/writable-mount.js';
import { changesIn } from '../changes.js';
import { apply } from './apply.js';
import { undo } from './undo.js';

beforeEach((context) => {
  requiresRoot(context);
  for (const program of ['setfacl', 'setfattr', 'losetup']) requiresProgram(context, program);
});

const FILESYSTEMS = ['ext4', 'xfs', 'btrfs', 'tmpfs'] as const;
type Filesystem = (typeof FILESYSTEMS)[number];
/** Store and target. All pairs with LAMELLA_LONG; else those that differ most. */
const PAIRS: readonly (readonly [Filesystem, Filesystem])[] = process.env.LAMELLA_LONG
  ? FILESYSTEMS.flatMap((store) => FILESYSTEMS.map((target) => [store, target] as const))
  : [
      ['ext4', 'xfs'],
      ['tmpfs', 'ext4'],
      ['xfs', 'xfs'],
    ];

const MAKE: Readonly<Record<Filesystem, readonly string[] | undefined>> = {
  ext4: ['mkfs.ext4', '-q'],
  xfs: ['mkfs.xfs', '-q'],
  btrfs: ['mkfs.btrfs', '-q'],
  tmpfs: undefined,
};

/** A new filesystem, until it is disposed. */
function filesystem(context: TestContext, at: ScratchDirectory, name: string, type: Filesystem): Disposable & { readonly path: string } {
  const point = at.join(name);
  mkdirSync(point);
  const make = MAKE[type];
  if (!make) execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', point]);
  else {
    const [program = '', ...args] = make;
    if (!findProgram(program)) skip(context, `${program} is missing`);
    const image = at.join(`${name}.image`);
    writeFileSync(image, '');
    truncateSync(image, 320 << 20);
    execFileSync(program, [...args, image]);
    try {
      execFileSync('mount', ['-o', 'loop', '-t', type, image, point], { stdio: 'pipe' });
    } catch (error) {
      skip(context, `${type} cannot be mounted by a loop device here: ${(error as { stderr?: Buffer }).stderr}`);
    }
  }
  return {
    path: point,
    [Symbol.dispose]: () => void execFileSync('umount', [point]),
  };
}

const BEFORE = `
  mkdir plain acl default; echo f > file; echo a > acl/file; echo d > default/file; echo e > goes; echo s > special; ln -s file link
  setfacl -m u:12345:rwx acl acl/file; setfacl -d -m u:12345:rwx default; setfacl -m g:5:r file
  setfattr -n user.one -v 1 special; setfattr -n trusted.two -v 2 special; chmod 4755 special
  setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 goes
  mknod device c 1 3; mkfifo fifo; mkdir gone; echo in > gone/in; ln gone/in gone/linked; setfacl -m u:12345:r gone/in; truncate -s 1M gone/sparse
  chown 12:34 gone/in; touch -d '2001-02-03 04:05:06.789' gone/in`;

/** What a container does, and what is done natively to a copy. */
const CHANGES = `
  setfacl -b acl/file; setfacl -b acl; setfacl -k default; setfacl -m g:5:rw file
  echo more >> default/file; setfacl -m u:12345:rw plain; setfacl -d -m u:12345:rw plain
  setfattr -x user.one special; setfattr -n user.three -v 3 special; chmod 711 special; setfattr -x security.capability goes
  mkdir new; setfacl -m u:12345:rwx new; setfacl -d -m g:5:r new; echo n > new/file; ln new/file new/linked; mknod new/block b 7 9; mkfifo new/fifo
  chown 5:6 new/file; chmod 2751 new; truncate -s 1M new/sparse; rm -r gone; rm link; ln -s elsewhere link; rm device; mknod device c 1 5; rm fifo; mkdir fifo
  setfacl -m u:12345:rw default/file`;

/** All of a tree that an apply is to keep. Times of directories change with the names in them; devices number their inodes. */
async function treeOf(directory: string): Promise<unknown[]> {
  const found: Walked[] = [];
  await run([{ op: 'walk', dirfd: AT_FDCWD, content: 0, pathname: directory }], {
    onReply: (reply) => void (reply.kind === 'data' && found.push(parseWalked(reply.data))),
  });
  const inodes = new Map<string, string>();
  return found
    .filter(({ name }) => name !== '')
    .map(({ name, mode, uid, gid, links, inode, size, target, major, minor, xattrs }) => {
      const isDirectory = mode >> 12 === 4;
      if (!inodes.has(inode)) inodes.set(inode, name);
      return {
        name,
        mode: mode.toString(8),
        owner: `${uid}:${gid}`,
        ...(isDirectory ? {} : { links, size, same: inodes.get(inode) }),
        target,
        // Some filesystems answer with a number for what has none.
        device: [2, 6].includes(mode >> 12) ? `${major}:${minor}` : '',
        xattrs: xattrs
          .filter(([key]) => isOwnAttribute(key))
          .map(([key, value]) => `${key}=${value.toString('hex')}`)
          .toSorted(),
      };
    });
}

test.each(PAIRS)(
  'a store on %s and a target on %s: everything is kept, both ways, and nothing of ours stays there',
  { timeout: 60_000 },
  async (storeType, targetType, ...rest) => {
    const context = rest.at(-1) as unknown as TestContext;
    await using at = scratch();
    using store = filesystem(context, at, 'store', storeType);
    using target = filesystem(context, at, 'target', targetType);
    const sh = (directory: string, script: string): void => void execFileSync('sh', ['-ec', script], { cwd: directory });
    const [top, copy] = [path.join(target.path, 'top'), path.join(target.path, 'copy')];
    for (const each of [top, copy]) {
      mkdirSync(each);
      sh(each, BEFORE);
    }
    const [root = '', upperdir = '', workdir = '', merged = ''] = ['root', 'upper', 'work', 'merged'].map((name) => path.join(store.path, name));
    for (const each of [root, upperdir, workdir, merged]) mkdirSync(each);
    const view: CheckedMount = {
      destination: '/p',
      upperdir,
      workdir,
      frozen: [],
      lowerdirs: [top],
      files: false,
      source: top,
      expected: {},
      given: undefined,
    };
    await sleep(15);
    const since = new Date();
    await sleep(15);
    {
      await using mount = await mountOverlay({ lowerdirs: [top], upperdir, workdir, merged });
      sh(mount.path, CHANGES);
    }
    sh(copy, CHANGES);
    const before = await treeOf(top);
    const names = readdirSync(top);
    const applier = { root, id: 'c1', since };
    await apply(applier, changesIn([view], []));
    expect(await treeOf(top)).toEqual(await treeOf(copy));
    expect(readdirSync(top).filter((name) => name.startsWith('.lamella'))).toEqual([]);
    expect(readdirSync(path.join(root, 'applying'))).toEqual([]);
    await undo(root, 'c1');
    expect(await treeOf(top)).toEqual(before);
    expect(readdirSync(top)).toEqual(names);
    // Nothing that we did is the host's doing.
    expect((await apply(applier, changesIn([view], []))).conflicts).toEqual([]);
    expect(await treeOf(top)).toEqual(await treeOf(copy));
    // Later work is kept, and where it can be found.
    writeFileSync(path.join(top, 'new/file'), 'later work');
    await expect(undo(root, 'c1')).rejects.toMatchObject({ code: 'UNDO_CONFLICT', message: expect.stringContaining(`${top}/new/file`) });
    const kept: string[] = [];
    await undo(root, 'c1', { force: true, onKept: (each) => kept.push(each.path, execFileSync('cat', [`${each.at}/file`], { encoding: 'utf8' })) });
    expect(kept).toEqual([`${top}/new`, 'later work']);
    expect(await treeOf(top)).toEqual(before);
    expect(readdirSync(top)).toEqual(names);
  },
);

test('what the target cannot hold is named, and nothing is applied', async (context) => {
  await using at = scratch();
  using store = filesystem(context, at, 'store', 'xfs');
  using target = filesystem(context, at, 'target', 'ext4');
  const [root = '', upperdir = '', workdir = '', merged = ''] = ['root', 'upper', 'work', 'merged'].map((name) => path.join(store.path, name));
  for (const each of [root, upperdir, workdir, merged]) mkdirSync(each);
  writeFileSync(path.join(target.path, 'first'), 'before');
  const view: CheckedMount = {
    destination: '/p',
    upperdir,
    workdir,
    frozen: [],
    lowerdirs: [target.path],
    files: false,
    source: target.path,
    expected: {},
    given: undefined,
  };
  await sleep(15);
  const since = new Date();
  {
    await using mount = await mountOverlay({ lowerdirs: [target.path], upperdir, workdir, merged });
    // Blocks of ext4 have 4096 bytes, and attributes are in one.
    execFileSync('sh', ['-ec', 'echo after > first; echo new > second; setfattr -n user.large -v "$(head -c 20000 /dev/zero | tr "\\0" x)" second'], {
      cwd: mount.path,
    });
  }
  const before = await treeOf(target.path);
  await expect(apply({ root, id: 'c1', since }, changesIn([view], []))).rejects.toMatchObject({
    code: 'APPLY_FAILED',
    message: expect.stringContaining('/p/second'),
  });
  expect(await treeOf(target.path)).toEqual(before);
  expect(readdirSync(path.join(root, 'applying'))).toEqual([]);
});
