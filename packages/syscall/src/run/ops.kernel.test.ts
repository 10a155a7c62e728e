import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { requiresProgram, requiresRoot, type ScratchDirectory, scratch, skip } from '@lamella-test/scratch';
import { describe, expect, type TestContext, test } from 'vitest';
import {
  AT,
  AT_FDCWD,
  CLONE,
  COPY,
  FrameWriter,
  FSCONFIG,
  IOCTL,
  LOCK,
  MARKS,
  MNT,
  MOUNT_ATTR,
  MOVE_MOUNT,
  MS,
  O,
  type ObjectIdentity,
  OPCODES,
  OPEN_TREE,
  type Op,
  openObject,
  ownMountNamespace,
  PR,
  type Program,
  packSeen,
  parseCompared,
  parseWalked,
  RENAME,
  RESOLVE,
  type Reply,
  type RunOptions,
  run,
  S_IF,
  SAME,
  type Seen,
  seenOf,
  start,
  startInterpreter,
  UTIME,
  type Walked,
} from '../index.js';

/** Ops that ran in some test here; the last test checks that none is missing. */
const exercised = new Set<string>();

function execute(program: Program, options?: RunOptions): ReturnType<typeof run> {
  const note = (op: Op): void => {
    exercised.add(op.op);
    if (op.op === 'clone' || op.op === 'on_exit' || op.op === 'serve') op.program.forEach(note);
  };
  program.forEach(note);
  return run(program, options);
}

const dir = (at: ScratchDirectory, out = 5): Op => ({
  op: 'openat',
  dirfd: AT_FDCWD,
  pathname: at.path,
  flags: O.RDONLY | O.DIRECTORY | O.CLOEXEC,
  mode: 0,
  out,
});
const privately: Program = [
  { op: 'unshare', flags: CLONE.NEWNS },
  { op: 'mount', source: null, target: '/', filesystemtype: null, mountflags: MS.REC | MS.PRIVATE, data: null },
];
/** Run a shell command in a program; `files` is what it may report into. */
const sh = (script: string): Op => ({ op: 'execve', pathname: '/bin/sh', argv: ['sh', '-c', script], envp: ['PATH=/usr/bin:/bin:/usr/sbin:/sbin'] });
const inside = (program: Program, flags = 0): Op => ({ op: 'clone', flags, monitor: 0, cgroup: -1, program });

test('execve searches with lists that are sent once, and refuses to without any', async () => {
  await using at = scratch();
  const list = ['sh', '-c', `printf '%s' "$A" > ${at.join('found')}`];
  const envp = ['A=passed on'];
  const exec = (pathname: string): Op => ({ op: 'execve', pathname, argv: list, envp, ignore: ['ENOENT'] });
  await execute([{ op: 'clone', flags: 0, monitor: 0, cgroup: -1, program: [exec('/no/sh'), { op: 'umask', mask: 0 }, exec('/none/sh'), exec('/bin/sh')] }]);
  expect(readFileSync(at.join('found'), 'utf8')).toBe('passed on');
  const failing = exec('/no/sh');
  const running = startInterpreter({}, { op: () => failing, isRelease: () => false });
  const writer = new FrameWriter();
  writer.op(failing);
  // What a nested program may say.
  writer.begin(OPCODES.execve.code);
  for (const count of [-1, -1]) writer.number(count);
  for (const text of ['/bin/true', '', '']) writer.string(text);
  writer.end();
  running.frames.end(writer.take());
  await expect(running.result).rejects.toMatchObject({ code: 'EINVAL' });
});

test('files are made, written, linked, renamed, given away and removed', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  await execute([
    dir(at),
    { op: 'umask', mask: 0 },
    { op: 'mkdirat', dirfd: 5, pathname: 'd', mode: 0o750 },
    { op: 'openat', dirfd: 5, pathname: 'd/f', flags: O.WRONLY | O.CREAT | O.EXCL | O.CLOEXEC, mode: 0o600, out: 6 },
    { op: 'write', fd: 6, buf: 'hello' },
    { op: 'lseek', fd: 6, offset: 10, whence: 0 },
    { op: 'write', fd: 6, buf: 'world' },
    { op: 'ftruncate', fd: 6, length: 20 },
    { op: 'fchmod', fd: 6, mode: 0o640 },
    { op: 'fsetxattr', fd: 6, name: 'user.one', value: Buffer.from([0, 255, 1]), flags: 0 },
    { op: 'fsync', fd: 6 },
    { op: 'syncfs', fd: 6 },
    { op: 'close', fd: 6 },
    { op: 'fchownat', dirfd: 5, pathname: 'd/f', owner: 12, group: 34, flags: 0 },
    { op: 'fchmodat', dirfd: 5, pathname: 'd/f', mode: 0o4711 },
    { op: 'lsetxattr', path: at.join('d/f'), name: 'user.two', value: 'text', flags: 0 },
    { op: 'utimensat', dirfd: 5, pathname: 'd/f', atime_sec: 0, atime_nsec: UTIME.OMIT, mtime_sec: 1_000_000_000, mtime_nsec: 123_456_789, flags: 0 },
    { op: 'symlinkat', newdirfd: 5, target: 'no/where', linkpath: 'link' },
    { op: 'linkat', olddirfd: 5, oldpath: 'd/f', newdirfd: 5, newpath: 'hard', flags: 0 },
    { op: 'mknodat', dirfd: 5, pathname: 'node', mode: S_IF.IFCHR | 0o604, major: 511, minor: 0x12345 },
    { op: 'mknodat', dirfd: 5, pathname: 'fifo', mode: S_IF.IFIFO | 0o600, major: 0, minor: 0 },
    { op: 'renameat2', olddirfd: 5, oldpath: 'fifo', newdirfd: 5, newpath: 'pipe', flags: 0 },
    { op: 'unlinkat', dirfd: 5, pathname: 'pipe', flags: 0 },
  ]);
  const file = lstatSync(at.join('d/f'), { bigint: true });
  expect(file).toMatchObject({ uid: 12n, gid: 34n, mode: 0o104711n, size: 20n, nlink: 2n, mtimeNs: 1_000_000_000_123_456_789n });
  expect(readFileSync(at.join('d/f'), 'latin1')).toBe('hello\0\0\0\0\0world\0\0\0\0\0');
  expect(readlinkSync(at.join('link'))).toBe('no/where');
  const node = statSync(at.join('node'));
  expect([node.mode & 0o7777, node.isCharacterDevice(), node.rdev]).toEqual([0o604, true, 0x45 | (511 << 8) | (0x123 << 20)]);
  expect(readdirSync(at.path).sort()).toEqual(['d', 'hard', 'link', 'node']);
});

test('with replace what is in the way makes room, but a directory stays for a directory', async () => {
  await using at = scratch();
  mkdirSync(at.join('tree/deep'), { recursive: true });
  writeFileSync(at.join('tree/deep/file'), 'old');
  mkdirSync(at.join('kept'));
  writeFileSync(at.join('kept/inside'), '');
  writeFileSync(at.join('plain'), 'old');
  const pathname = (name: string): { dirfd: number; pathname: string } => ({ dirfd: AT_FDCWD, pathname: at.join(name) });
  await execute([
    { op: 'openat', ...pathname('tree'), flags: O.WRONLY | O.CREAT | O.EXCL | O.CLOEXEC, mode: 0o600, out: 5, replace: true },
    { op: 'mkdirat', ...pathname('kept'), mode: 0o700, replace: true },
    { op: 'mkdirat', ...pathname('plain'), mode: 0o700, replace: true },
    { op: 'symlinkat', newdirfd: AT_FDCWD, target: 'x', linkpath: at.join('plain'), replace: true },
    { op: 'linkat', olddirfd: AT_FDCWD, oldpath: at.join('tree'), newdirfd: AT_FDCWD, newpath: at.join('plain'), flags: 0, replace: true },
    { op: 'linkat', olddirfd: AT_FDCWD, oldpath: at.join('tree'), newdirfd: AT_FDCWD, newpath: at.join('plain'), flags: 0, replace: true },
  ]);
  expect(existsSync(at.join('kept/inside'))).toBe(true);
  expect(statSync(at.join('plain')).ino).toBe(statSync(at.join('tree')).ino);
});

test('openat2 stays beneath its directory', async () => {
  await using at = scratch();
  symlinkSync('/etc', at.join('out'));
  const leaving = execute([
    dir(at),
    { op: 'openat2', dirfd: 5, pathname: 'out/passwd', flags: O.RDONLY | O.CLOEXEC, mode: 0, resolve: RESOLVE.BENEATH, out: 6 },
  ]);
  await expect(leaving).rejects.toMatchObject({ syscall: 'openat2', code: 'EXDEV', index: 1 });
});

test('mkpath makes what is missing, and links on the way lead nowhere but into the root', async () => {
  await using at = scratch();
  mkdirSync(at.join('root/real'), { recursive: true });
  symlinkSync('/real', at.join('root/absolute'));
  symlinkSync('../../../../..', at.join('root/upwards'));
  symlinkSync('/nowhere', at.join('root/dangling'));
  const root: Op = { op: 'openat', dirfd: AT_FDCWD, pathname: at.join('root'), flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: 5 };
  await execute([
    root,
    { op: 'mkpath', rootfd: 5, directory: 1, mode: 0o711, pathname: '/absolute/a/b', out: 6 },
    { op: 'mkpath', rootfd: 5, directory: 0, mode: 0o640, pathname: 'upwards/c/file', out: 7 },
  ]);
  expect(statSync(at.join('root/real/a/b')).mode & 0o777).toBe(0o711);
  expect(statSync(at.join('root/c/file')).isFile()).toBe(true);
  await expect(execute([root, { op: 'mkpath', rootfd: 5, directory: 1, mode: 0o755, pathname: 'dangling/x', out: 6 }])).rejects.toMatchObject({
    code: 'ENOENT',
  });
  await expect(execute([root, { op: 'mkpath', rootfd: 5, directory: 0, mode: 0o644, pathname: 'absolute/a', out: 6 }])).rejects.toMatchObject({
    code: 'EISDIR',
  });
  expect(readdirSync(at.path)).toEqual(['root']);
});

describe('where a mount goes is seen from its descriptor', () => {
  const open = (pathname: string, out: number): Op => ({ op: 'openat', dirfd: AT_FDCWD, pathname, flags: O.PATH | O.CLOEXEC, mode: 0, out });
  const landed = (pathname: string, exact: 0 | 1, outside: readonly string[] = []): Op => ({
    op: 'landed',
    rootfd: 5,
    fd: 6,
    exact,
    pathname,
    outside: outside.map((each) => `${each}\0`).join(''),
  });

  test.for([
    ['root/a/b', landed('/a/b', 1), undefined],
    ['root/link/b', landed('/link/b', 1), 'ELOOP'],
    ['root/a', landed('/a/b', 1), 'ELOOP'],
    ['root/a/b', landed('/a', 1), 'ELOOP'],
    ['root', landed('/', 1), 'EBUSY'],
    ['root', landed('/', 0), 'EBUSY'],
    ['rooted', landed('/ed', 1), 'EXDEV'],
    ['.', landed('/', 0), 'EXDEV'],
    ['root/a/b', landed('/x', 0, ['/proc', '/a']), 'EXDEV'],
    ['root/link/b', landed('/x', 0, ['/a/b', '/proc']), 'EXDEV'],
    ['root/ab', landed('/x', 0, ['/a', '/a/b', '/proc']), undefined],
    ['root/a', landed('/x', 0, ['/a/b']), undefined],
    ['root/a/file', landed('/a/file', 1), undefined],
    ['root/a', landed('/x', 0), undefined],
  ] as const)('%s, %o: %s', async ([place, op, code]) => {
    await using at = scratch();
    for (const name of ['root/a/b', 'root/ab', 'rooted']) mkdirSync(at.join(name), { recursive: true });
    writeFileSync(at.join('root/a/file'), '');
    symlinkSync('a', at.join('root/link'));
    const run = execute([open(at.join('root'), 5), open(at.join(place), 6), op]);
    await (code === undefined ? run : expect(run).rejects.toMatchObject({ syscall: 'landed', code }));
  });

  test('the root of everything is a root, too', async () => {
    await execute([open('/', 5), open('/proc', 6), landed('/proc', 1), { op: 'close', fd: 6 }, open('/usr', 6), landed('/x', 0, ['/proc', '/us'])]);
    await expect(execute([open('/', 5), open('/proc/self', 6), landed('/x', 0, ['/proc'])])).rejects.toMatchObject({ code: 'EXDEV' });
  });

  test('a detached mount is nowhere', async (context) => {
    requiresRoot(context);
    const nowhere = execute([
      open('/', 5),
      { op: 'fsopen', fsname: 'tmpfs', flags: 1, out: 7 },
      { op: 'fsconfig', fd: 7, cmd: FSCONFIG.CMD_CREATE, key: null, value: null, aux: -1 },
      { op: 'fsmount', fd: 7, flags: 1, mount_attrs: 0, out: 6 },
      { op: 'mkdirat', dirfd: 6, pathname: 'proc', mode: 0o755 },
      landed('/proc', 0, ['/proc']),
      landed('/', 1),
    ]);
    await expect(nowhere).rejects.toMatchObject({ syscall: 'landed' });
  });
});

test('what is to be covered is the root of a mount, and read-only where asked', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  for (const name of ['a', 'b/c']) mkdirSync(at.join(name), { recursive: true });
  symlinkSync('/b', at.join('link'));
  const root: Op = { op: 'openat', dirfd: AT_FDCWD, pathname: at.path, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: 5 };
  const covered = (pathname: string, readonly: 0 | 1): Op => ({ op: 'covered', rootfd: 5, readonly, pathname });
  const tmpfs = (target: string, mountflags: number): Op => ({
    op: 'mount',
    source: 'x',
    target: at.join(target),
    filesystemtype: 'tmpfs',
    mountflags,
    data: null,
  });
  const mounts: Program = [...ownMountNamespace(), tmpfs('a', 0), tmpfs('b', MS.RDONLY), root];
  await execute([...mounts, covered('/a', 0), covered('/b', 1), covered('/link', 1), covered('/nothing', 1), covered('/a/nothing/x', 1)]);
  for (const op of [covered('/a', 1), covered('/link/../a', 1)])
    await expect(execute([...mounts, op])).rejects.toMatchObject({ syscall: 'covered', code: 'ESTALE' });
  for (const op of [covered('/b/c', 0), covered('/b', 0)]) await expect(execute([root, op])).rejects.toMatchObject({ syscall: 'covered', code: 'ESTALE' });
});

test('a filesystem is of the type that is expected', async () => {
  const open = (pathname: string): Op => ({ op: 'openat', dirfd: AT_FDCWD, pathname, flags: O.PATH | O.CLOEXEC, mode: 0, out: 5 });
  await execute([open('/proc/sys'), { op: 'expect_type', fd: 5, type: 0x9fa0 }]);
  await expect(execute([open('/'), { op: 'expect_type', fd: 5, type: 0x9fa0 }])).rejects.toMatchObject({ syscall: 'expect_type', code: 'ESTALE' });
});

test.for([4294967295, 4294967296, -2, 2 ** 40, 2 ** 52 + 1000])('the id %d is none, and leaves nobody root', async (id, context) => {
  requiresRoot(context);
  const user: Op = { op: 'setresuid', ruid: id, euid: id, suid: id };
  const group: Op = { op: 'setresgid', rgid: id, egid: id, sgid: id };
  await expect(execute([user])).rejects.toMatchObject({ syscall: 'setresuid', code: 'EINVAL' });
  await expect(execute([group])).rejects.toMatchObject({ syscall: 'setresgid', code: 'EINVAL' });
  await expect(execute([{ ...user, ruid: 0, euid: 0 }])).rejects.toMatchObject({ code: 'EINVAL' });
});

test('rmtree removes any tree, follows no link and crosses no mount', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  writeFileSync(at.join('outside'), 'keep');
  let deep = at.join('tree');
  for (let i = 0; i < 200; i++) deep = path.join(deep, 'd');
  mkdirSync(deep, { recursive: true });
  for (let i = 0; i < 500; i++) writeFileSync(path.join(at.join('tree/d/d'), `file-${i}`), '');
  symlinkSync(at.join('outside'), at.join('tree/link'));
  mkdirSync(at.join('tree/closed'), { mode: 0 });
  await execute([{ op: 'rmtree', dirfd: AT_FDCWD, pathname: at.join('tree') }]);
  await execute([{ op: 'rmtree', dirfd: AT_FDCWD, pathname: at.join('tree') }]);
  expect(readdirSync(at.path)).toEqual(['outside']);

  mkdirSync(at.join('mounted/here'), { recursive: true });
  const busy = execute([
    ...privately,
    { op: 'mount', source: 'x', target: at.join('mounted/here'), filesystemtype: 'tmpfs', mountflags: 0, data: null },
    { op: 'write_file', dirfd: AT_FDCWD, flags: O.WRONLY | O.CREAT, mode: 0o600, pathname: at.join('mounted/here/file'), data: 'x' },
    { op: 'rmtree', dirfd: AT_FDCWD, pathname: at.join('mounted') },
  ]);
  await expect(busy).rejects.toMatchObject({ syscall: 'rmtree', code: 'EBUSY' });
});

test('walk tells all there is to know of a tree', async () => {
  await using at = scratch();
  mkdirSync(at.join('t/sub'), { recursive: true });
  writeFileSync(at.join('t/sub/file'), 'abc');
  symlinkSync('target', at.join('t/link'));
  await execute([{ op: 'lsetxattr', path: at.join('t/sub/file'), name: 'user.x', value: 'v', flags: 0 }]);
  const found = new Map<string, Walked>();
  await execute([{ op: 'walk', dirfd: AT_FDCWD, content: 0, pathname: at.join('t') }], {
    onReply(reply) {
      if (reply.kind !== 'data') return;
      const walked = parseWalked(reply.data);
      found.set(walked.name, walked);
    },
  });
  expect([...found.keys()]).toEqual(['', 'link', 'sub', 'sub/file']);
  expect(found.get('sub/file')).toMatchObject({ size: 3, xattrs: [['user.x', Buffer.from('v')]] });
  expect(found.get('link')).toMatchObject({ target: 'target' });
});

test('walk_seen tells of what is mounted below, but of nothing that the kernel makes up, and all that a file has', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  for (const name of ['t/mounted', 't/proc', 't/without']) mkdirSync(at.join(name), { recursive: true });
  const found = new Map<string, string>();
  let last = '';
  const tmpfs = (name: string): Op => ({ op: 'mount', source: 'x', target: at.join('t', name), filesystemtype: 'tmpfs', mountflags: 0, data: null });
  const file = (name: string): Op => ({ op: 'write_file', dirfd: AT_FDCWD, flags: O.WRONLY | O.CREAT, mode: 0o600, pathname: at.join('t', name), data: name });
  const onReply = (reply: Reply): void => {
    if (reply.kind === 'data') found.set((last = parseWalked(reply.data).name), '');
    if (reply.kind === 'content') found.set(last, `${found.get(last)}${reply.data.toString('latin1')}`);
  };
  const mounted: Program = [
    ...privately,
    tmpfs('mounted'),
    file('mounted/file'),
    tmpfs('without'),
    file('without/file'),
    { op: 'mount', source: 'proc', target: at.join('t/proc'), filesystemtype: 'proc', mountflags: 0, data: null },
    { op: 'openat', dirfd: AT_FDCWD, pathname: at.join('t/without'), flags: O.PATH | O.CLOEXEC, mode: 0, out: 5 },
  ];
  await execute([...mounted, { op: 'walk_seen', dirfd: AT_FDCWD, without: 5, pathname: at.join('t') }], { onReply });
  expect(Object.fromEntries(found)).toEqual({ '': '', mounted: '', 'mounted/file': 'mounted/file', proc: '', without: '' });
  found.clear();
  await execute([{ op: 'walk_seen', dirfd: AT_FDCWD, without: -1, pathname: '/proc/version' }], { onReply });
  expect(found.get('')).toBe(readFileSync('/proc/version', 'latin1'));
});

test('walk goes hundreds of levels deep, and says where it stops', async () => {
  await using at = scratch();
  const deep = (levels: number): string => {
    const top = at.join(`deep${levels}`);
    mkdirSync(path.join(top, ...Array.from({ length: levels }, () => 'd')), { recursive: true });
    return top;
  };
  let found = 0;
  await execute([{ op: 'walk', dirfd: AT_FDCWD, content: 0, pathname: deep(390) }], { onReply: (reply) => (found += reply.kind === 'data' ? 1 : 0) });
  expect(found).toBe(391);
  await expect(run([{ op: 'walk', dirfd: AT_FDCWD, content: 0, pathname: deep(410) }])).rejects.toMatchObject({ syscall: 'walk', code: 'ELOOP' });
});

test('compare tells what an upper did, hidden names and all', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  mkdirSync(at.join('lower/gone/below'), { recursive: true });
  mkdirSync(at.join('lower/new'));
  mkdirSync(at.join('upper/new'), { recursive: true });
  for (const [file, content] of [
    ['lower/gone/below/file', 'x'],
    ['lower/new/old', 'x'],
    ['lower/new/same', 'x'],
    ['lower/kept', 'x'],
    ['lower/other', 'x'],
    ['upper/new/same', 'x'],
    ['upper/other', 'y'],
  ] as const)
    writeFileSync(at.join(file), content);
  const told: string[] = [];
  const open = (pathname: string, out: number): Op => ({ op: 'openat', dirfd: AT_FDCWD, pathname, flags: O.PATH | O.DIRECTORY, mode: 0, out });
  await execute(
    [
      { op: 'mknodat', dirfd: AT_FDCWD, pathname: at.join('upper/gone'), mode: S_IF.IFCHR, major: 0, minor: 0 },
      { op: 'lsetxattr', path: at.join('upper/new'), name: 'trusted.overlay.opaque', value: 'y', flags: 0 },
      open(at.join('upper'), 5),
      open(at.join('lower'), 6),
      { op: 'compare', dirfd: 5, rootfd: 6, marks: MARKS.trusted },
    ],
    {
      onReply(reply) {
        if (reply.kind !== 'data') return;
        const { upper, lower, contentDiffers } = parseCompared(reply.data);
        told.push(`${upper ? 'u' : ''}${lower ? 'l' : ''}${contentDiffers ? '!' : ''} ${(upper ?? lower)?.name}`);
      },
    },
  );
  expect(told).toEqual(['l gone', 'l gone/below', 'l gone/below/file', 'ul new', 'l new/old', 'ul new/same', 'ul! other']);
});

test('compare knows marks that are files, and whoever looks sees the names that they hide', async () => {
  await using at = scratch();
  mkdirSync(at.join('lower/gone/below'), { recursive: true });
  mkdirSync(at.join('lower/opaque'));
  mkdirSync(at.join('lower/replaced'));
  mkdirSync(at.join('upper/opaque'), { recursive: true });
  mkdirSync(at.join('upper/replaced'));
  for (const file of ['lower/gone/below/file', 'lower/opaque/old', 'lower/replaced/old', 'lower/zz', 'upper/opaque/new', 'upper/added'])
    writeFileSync(at.join(file), 'x');
  for (const file of ['upper/.wh.gone', 'upper/.wh.zz', 'upper/.wh.nothing', 'upper/opaque/.wh..wh..opq', 'upper/.wh.replaced', 'upper/.wh..wh.plnk'])
    writeFileSync(at.join(file), '');
  const told: string[] = [];
  const open = (pathname: string, out: number): Op => ({ op: 'openat', dirfd: AT_FDCWD, pathname, flags: O.PATH | O.DIRECTORY, mode: 0, out });
  await execute([open(at.join('upper'), 5), open(at.join('lower'), 6), { op: 'compare', dirfd: 5, rootfd: 6, marks: MARKS.files }], {
    onReply(reply) {
      if (reply.kind !== 'data') return;
      const { upper, lower } = parseCompared(reply.data);
      told.push(`${upper ? 'u' : ''}${lower ? 'l' : ''} ${(upper ?? lower)?.name}`);
    },
  });
  expect(told).toEqual([
    'u added',
    'l gone',
    'l gone/below',
    'l gone/below/file',
    'ul opaque',
    'u opaque/new',
    'l opaque/old',
    'ul replaced',
    'l replaced/old',
    'l zz',
  ]);
});

test('netns makes a network namespace that is entered by its descriptor', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  await execute([
    { op: 'netns', userns_fd: -1, out: 5 },
    { op: 'setns', fd: 5, nstype: CLONE.NEWNET },
    { op: 'copy_file', dirfd: AT_FDCWD, pathname: '/proc/self/net/dev', newpath: at.join('devices') },
  ]);
  // Beside `lo` there may be fallback devices of tunnels.
  expect(readFileSync(at.join('devices'), 'utf8')).not.toContain('eth0');
  await execute([
    { op: 'userns', uid_map: '0 0 1\n', gid_map: '0 0 1\n', out: 6 },
    { op: 'netns', userns_fd: 6, out: 5 },
    { op: 'setns', fd: 6, nstype: CLONE.NEWUSER },
    // Root of its user namespace may enter it.
    { op: 'setns', fd: 5, nstype: CLONE.NEWNET },
  ]);
});

test('attempt leaves the rest of its program out after a failure that may be, and no other', async () => {
  await using at = scratch();
  const make = (name: string, flags: number = O.WRONLY | O.CREAT | O.EXCL): Op => ({
    op: 'write_file',
    dirfd: AT_FDCWD,
    pathname: at.join(name),
    flags,
    mode: 0o600,
    data: '',
  });
  const missing: Op = { op: 'openat', dirfd: AT_FDCWD, pathname: at.join('missing/x'), flags: O.PATH, mode: 0, out: 5 };
  await execute([{ op: 'attempt', program: [make('a'), missing, make('b')], ignore: ['ENOENT'] }, make('c')]);
  await execute([{ op: 'attempt', program: [{ op: 'attempt', program: [make('d'), missing], ignore: ['ENOENT'] }, make('e')] }]);
  // The op that failed is named, not the attempt.
  await expect(execute([{ op: 'attempt', program: [make('f'), missing], ignore: ['EACCES'] }, make('g')])).rejects.toMatchObject({
    syscall: 'openat',
    code: 'ENOENT',
  });
  expect(readdirSync(at.path).toSorted()).toEqual(['a', 'c', 'd', 'e', 'f']);
});

test('serve runs a program beside this one, and end_served waits for its end', async () => {
  await using at = scratch();
  const output = at.join('said');
  const said = (): string[] => readFileSync(output, 'utf8').split('\n').filter(Boolean);
  const serve = (script: string): Op => ({
    op: 'serve',
    program: [{ op: 'setsid' }, { op: 'execve', pathname: '/bin/sh', argv: ['sh', '-c', script, output], envp: ['PATH=/usr/bin:/bin'] }],
  });
  await execute([
    serve('sleep 0.2; echo served >> "$0"'),
    { op: 'end_served', milliseconds: 10_000 },
    { op: 'write_file', dirfd: AT_FDCWD, pathname: output, flags: O.WRONLY | O.APPEND, mode: 0, data: 'over\n' },
  ]);
  expect(said()).toEqual(['served', 'over']);
  // A server that does not end is killed, and that is reported.
  const ended = start([serve('echo $$ >> "$0"; exec sleep 1000'), { op: 'end_served', milliseconds: 300 }]);
  await expect(ended.result).rejects.toMatchObject({ syscall: 'end_served', code: 'ETIME' });
  expect(() => process.kill(Number(said()[2]), 0)).toThrow(/ESRCH/);
  // What would go on is asked to end.
  const ready = at.join('ready');
  await execute([
    { op: 'mknodat', dirfd: AT_FDCWD, pathname: ready, mode: S_IF.IFIFO | 0o600, major: 0, minor: 0 },
    { op: 'openat', dirfd: AT_FDCWD, pathname: ready, flags: O.RDONLY | O.NONBLOCK, mode: 0, out: 5 },
    { ...serve(`trap 'echo asked >> "$0"; exit' TERM; echo on > ${ready}; while :; do sleep 0.02; done`), signal: 15 } as Op,
    { op: 'await_served', fd: 5, milliseconds: 5000 },
    { op: 'end_served', milliseconds: 5000 },
  ]);
  expect(said().at(-1)).toBe('asked');
  // A wait for a server that has ended fails.
  const fifo = at.join('fifo');
  await expect(
    execute([
      { op: 'mknodat', dirfd: AT_FDCWD, pathname: fifo, mode: S_IF.IFIFO | 0o600, major: 0, minor: 0 },
      { op: 'openat', dirfd: AT_FDCWD, pathname: fifo, flags: O.RDONLY | O.NONBLOCK, mode: 0, out: 5 },
      serve('exit 3'),
      { op: 'await_served', fd: 5, milliseconds: 5000 },
    ]),
  ).rejects.toMatchObject({ syscall: 'serve', code: 'ESRCH' });
  await expect(
    run([
      { op: 'openat', dirfd: AT_FDCWD, pathname: fifo, flags: O.RDONLY | O.NONBLOCK, mode: 0, out: 5 },
      serve('sleep 1'),
      { op: 'await_served', fd: 5, milliseconds: 50 },
    ]),
  ).rejects.toMatchObject({ syscall: 'await_served', code: 'ETIMEDOUT' });
  // A program that cannot be executed fails its op.
  await expect(execute([{ op: 'serve', program: [{ op: 'execve', pathname: '/no/such', argv: ['such'], envp: [] }] }])).rejects.toMatchObject({
    syscall: 'execve',
    code: 'ENOENT',
  });
});

test('copy_object makes another one that is in everything the same', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  mkdirSync(at.join('from/directory'), { recursive: true, mode: 0o751 });
  mkdirSync(at.join('to'));
  writeFileSync(at.join('from/file'), 'content', { mode: 0o640 });
  symlinkSync('nowhere', at.join('from/link'));
  const file = at.join('from/file');
  const names = ['file', 'sparse', 'link', 'fifo', 'device', 'directory'];
  await execute([
    { op: 'openat', dirfd: AT_FDCWD, pathname: at.join('from/sparse'), flags: O.RDWR | O.CREAT, mode: 0o644, out: 5 },
    { op: 'ftruncate', fd: 5, length: 1 << 24 },
    { op: 'lseek', fd: 5, offset: 1 << 23, whence: 0 },
    { op: 'write', fd: 5, buf: 'middle' },
    { op: 'mknodat', dirfd: AT_FDCWD, pathname: at.join('from/fifo'), mode: S_IF.IFIFO | 0o600, major: 0, minor: 0 },
    { op: 'mknodat', dirfd: AT_FDCWD, pathname: at.join('from/device'), mode: S_IF.IFCHR | 0o620, major: 1, minor: 3 },
    { op: 'fchownat', dirfd: AT_FDCWD, pathname: file, owner: 12, group: 34, flags: 0 },
    { op: 'fchmodat', dirfd: AT_FDCWD, pathname: file, mode: 0o4750 },
    { op: 'lsetxattr', path: file, name: 'user.kept', value: 'v', flags: 0 },
    { op: 'lsetxattr', path: file, name: 'user.overlay.mark', value: 'v', flags: 0 },
    { op: 'utimensat', dirfd: AT_FDCWD, pathname: file, atime_sec: 5, atime_nsec: 6, mtime_sec: 7, mtime_nsec: 8, flags: 0 },
    ...['from', 'to'].map((name, i): Op => ({ op: 'openat', dirfd: AT_FDCWD, pathname: at.join(name), flags: O.PATH | O.DIRECTORY, mode: 0, out: 6 + i })),
    ...names.map((name): Op => ({ op: 'copy_object', olddirfd: 6, newdirfd: 7, flags: 0, oldpath: name, newpath: name })),
    // Of two directories that are there already, the metadata alone.
    { op: 'mkdirat', dirfd: AT_FDCWD, pathname: at.join('to/other'), mode: 0o700 },
    { op: 'lsetxattr', path: at.join('to/other'), name: 'user.goes', value: 'v', flags: 0 },
    { op: 'copy_object', olddirfd: 6, newdirfd: 7, flags: COPY.METADATA, oldpath: 'directory', newpath: 'other' },
    { op: 'copy_object', olddirfd: 6, newdirfd: 7, flags: COPY.MARKS, oldpath: 'file', newpath: 'marked' },
  ]);
  const { mtimeMs } = lstatSync(at.join('to/file'));
  expect(mtimeMs).toBeCloseTo(7000, 3);
  const walk = async (top: string): Promise<string[]> => {
    const all: string[] = [];
    await run([{ op: 'walk', dirfd: AT_FDCWD, content: 0, pathname: top }], {
      onReply(reply) {
        if (reply.kind !== 'data') return;
        const { name, inode, ctimeSeconds, ctimeNanoseconds, btimeSeconds, btimeNanoseconds, blocks, xattrs, ...rest } = parseWalked(reply.data);
        const kept = xattrs.filter(([key]) => key !== 'user.overlay.mark').map(([key, value]) => `${key}=${value}`);
        if (name && name !== 'other' && name !== 'marked') all.push(JSON.stringify({ name, ...rest, kept, sparse: blocks * 512 < rest.size }));
        if (name === 'file' && top === at.join('to')) expect(xattrs.map(([key]) => key)).toEqual(['user.kept']);
        if (name === 'marked') expect(xattrs.map(([key]) => key).toSorted()).toEqual(['user.kept', 'user.overlay.mark']);
        if (name === 'other') expect([rest.mode & 0o7777, xattrs]).toEqual([0o751, []]);
      },
    });
    return all;
  };
  expect(await walk(at.join('to'))).toEqual(await walk(at.join('from')));
  expect(readFileSync(at.join('to/sparse')).toString('utf8', 1 << 23, (1 << 23) + 6)).toBe('middle');
});

test.each([
  ['of another kind than was seen, is not made', COPY.DIRECTORY, 'file', 'new'],
  ['that is a link where a directory was seen, is not made', COPY.DIRECTORY, 'link', 'new'],
  ['that is a directory where something else was seen, is not made', COPY.OTHER, 'directory', 'new'],
  ['of a directory, is not given the metadata of a link', COPY.METADATA, 'directory', 'to'],
])('a copy %s', async (_, flags, oldpath, newpath) => {
  await using at = scratch();
  mkdirSync(at.join('directory'), { mode: 0o700 });
  writeFileSync(at.join('file'), '');
  symlinkSync('directory', at.join('link'));
  symlinkSync('directory', at.join('to'));
  const before = readdirSync(at.path);
  const [olddirfd, newdirfd] = [5, 5];
  await expect(
    execute([
      { op: 'openat', dirfd: AT_FDCWD, pathname: at.path, flags: O.PATH | O.DIRECTORY, mode: 0, out: 5 },
      { op: 'copy_object', olddirfd, newdirfd, flags, oldpath, newpath },
    ]),
  ).rejects.toMatchObject({ code: 'ESTALE' });
  expect(readdirSync(at.path)).toEqual(before);
});

test('expect and rename_seen compare an object with what was seen of it', async () => {
  await using at = scratch();
  mkdirSync(at.join('directory'));
  const file = at.join('directory/file');
  writeFileSync(file, 'abc', { mode: 0o644 });
  const look = async (pathname: string): Promise<Seen> => {
    const found: Walked[] = [];
    await execute([{ op: 'statx', dirfd: AT_FDCWD, pathname }], { onReply: (reply) => reply.kind === 'data' && found.push(parseWalked(reply.data)) });
    const [only] = found;
    if (!only) throw new Error('statx told nothing');
    expect(only).toMatchObject({ name: '' });
    return seenOf(only);
  };
  const seen = await look(file);
  expect(seen.btime[0]).toBeGreaterThan(0);
  const is = (what: number, pathname = file): Promise<unknown> =>
    run([{ op: 'expect', dirfd: AT_FDCWD, what, pathname, seen: packSeen(seen) }]).then(
      () => true,
      (error: { code: string }) => error.code,
    );
  const ALL = SAME.CONTENT | SAME.METADATA | SAME.CTIME;
  expect(await is(ALL)).toBe(true);
  // A link changes the ctime alone.
  linkSync(file, at.join('linked'));
  expect([await is(ALL), await is(SAME.CTIME), await is(SAME.CONTENT | SAME.METADATA)]).toEqual(['ESTALE', 'ESTALE', true]);
  chmodSync(file, 0o600);
  expect([await is(SAME.METADATA), await is(SAME.CONTENT)]).toEqual(['ESTALE', true]);
  writeFileSync(file, 'abcd');
  expect([await is(SAME.CONTENT), await is(SAME.IDENTITY)]).toEqual(['ESTALE', true]);
  // Another one of the same looks.
  renameSync(file, at.join('directory/kept'));
  writeFileSync(file, 'abc');
  expect([await is(SAME.IDENTITY), await is(SAME.IDENTITY, at.join('directory/none'))]).toEqual(['ESTALE', 'ENOENT']);
  const move = (oldpath: string): Promise<unknown> =>
    execute([
      {
        op: 'rename_seen',
        olddirfd: AT_FDCWD,
        newdirfd: AT_FDCWD,
        flags: RENAME.NOREPLACE,
        what: SAME.IDENTITY,
        oldpath,
        newpath: at.join('moved'),
        seen: packSeen(seen),
      },
    ]);
  await expect(move(file)).rejects.toMatchObject({ syscall: 'rename_seen', code: 'ESTALE' });
  await move(at.join('directory/kept'));
  expect(readFileSync(at.join('moved'), 'utf8')).toBe('abcd');
  const directory = await look(at.join('directory'));
  // An empty path is the descriptor itself.
  const open: Op = { op: 'openat', dirfd: AT_FDCWD, pathname: at.join('directory'), flags: O.PATH | O.DIRECTORY, mode: 0, out: 5 };
  await execute([open, { op: 'expect', dirfd: 5, what: SAME.METADATA, pathname: '', seen: packSeen(directory) }]);
  await expect(run([open, { op: 'expect', dirfd: 5, what: 0, pathname: '', seen: Buffer.alloc(80) }])).rejects.toMatchObject({ code: 'EINVAL' });
});

test('copy_object leaves out attributes that belong to a place or a filesystem', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  for (const name of ['from', 'to']) writeFileSync(at.join(name), name);
  const set = (path: string, name: string): Op => ({ op: 'lsetxattr', path: at.join(path), name, value: 'v', flags: 0 });
  await execute([
    ...['user.own', 'trusted.own', 'trusted.SGI_ACL_FILE', 'trusted.SGI_ACL_DEFAULT', 'trusted.overlay.origin'].map((name) => set('from', name)),
    set('to', 'user.goes'),
    set('to', 'trusted.SGI_CAP_FILE'),
    { op: 'copy_object', olddirfd: AT_FDCWD, newdirfd: AT_FDCWD, flags: COPY.METADATA, oldpath: at.join('from'), newpath: at.join('to') },
  ]);
  const found: string[] = [];
  await execute([{ op: 'statx', dirfd: AT_FDCWD, pathname: at.join('to') }], {
    onReply: (reply) => reply.kind === 'data' && found.push(...parseWalked(reply.data).xattrs.map(([name]) => name)),
  });
  expect(found.toSorted()).toEqual(['trusted.SGI_CAP_FILE', 'trusted.own', 'user.own']);
});

test('with its marks an object is copied without attributes that belong to a place, too', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  for (const name of ['from', 'to']) writeFileSync(at.join(name), name);
  const set = (path: string, name: string): Op => ({ op: 'lsetxattr', path: at.join(path), name, value: 'v', flags: 0 });
  const marks = ['trusted.overlay.origin', 'user.fuseoverlayfs.x', 'user.overlay.x'];
  await execute([
    ...['user.own', 'trusted.own', 'trusted.SGI_ACL_FILE', ...marks].map((name) => set('from', name)),
    // Where the kernel takes these from us.
    ...['security.ima', 'security.evm', 'security.other'].map((name) => ({ ...set('from', name), ignore: ['EOPNOTSUPP', 'EINVAL', 'EPERM'] }) as Op),
    ...['user.goes', 'user.overlay.goes', 'trusted.SGI_CAP_FILE'].map((name) => set('to', name)),
    { op: 'copy_object', olddirfd: AT_FDCWD, newdirfd: AT_FDCWD, flags: COPY.METADATA | COPY.MARKS, oldpath: at.join('from'), newpath: at.join('to') },
  ]);
  const found: string[] = [];
  await execute([{ op: 'statx', dirfd: AT_FDCWD, pathname: at.join('to') }], {
    onReply: (reply) => reply.kind === 'data' && found.push(...parseWalked(reply.data).xattrs.map(([name]) => name)),
  });
  expect(found.filter((name) => name !== 'security.other' && name !== 'security.selinux').toSorted()).toEqual(
    ['trusted.SGI_CAP_FILE', 'trusted.own', 'user.own', ...marks].toSorted(),
  );
});

test('a nested program that executed nothing leaves the lists of the program around it alone', async () => {
  const [argv, envp] = [['sh', '-c', 'test "$WORD" = outer && exit 7'], ['WORD=outer']];
  const missing = (list: readonly string[]): Op => ({ op: 'execve', pathname: '/none', argv: list, envp: list, ignore: ['ENOENT'] });
  const outer = { op: 'execve', argv, envp } as const;
  const { exited } = await execute([
    inside([
      { ...outer, pathname: '/none', ignore: ['ENOENT'] },
      { op: 'attempt', program: [missing(['x'])] },
      { ...outer, pathname: '/bin/sh' },
    ]),
  ]);
  expect(exited?.status).toBe(7);
});

test('names that become something else while a tree is read neither end that nor are missed', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  const names = Array.from({ length: 20 }, (_, i) => `swap-${i}`);
  for (const side of ['upper', 'lower']) {
    mkdirSync(at.join(side));
    for (const name of names) writeFileSync(at.join(side, name), 'x');
    mkdirSync(at.join(side, 'place'));
  }
  // The names that begin with swap are always there: a file, a FIFO or a link. `place` is a directory, a file or nothing.
  const restless = spawn(
    process.execPath,
    [
      '-e',
      `const fs = require('node:fs'), { execFileSync } = require('node:child_process');
      const names = ${JSON.stringify(names)};
      for (const each of names) execFileSync('mkfifo', ['fifo-' + each].map((name) => '../' + name));
      console.log('ready');
      for (let i = 0; ; i++) {
        for (const side of ['../upper/', '../lower/']) {
          for (const each of names) {
            if (i % 3 === 0) fs.linkSync('../fifo-' + each, '../new');
            else if (i % 3 === 1) fs.symlinkSync('nowhere', '../new');
            else fs.writeFileSync('../new', 'x');
            fs.renameSync('../new', side + each);
          }
          fs.rmSync(side + 'place', { recursive: true, force: true });
          if (i % 2) fs.mkdirSync(side + 'place/below', { recursive: true });
          else fs.symlinkSync('nowhere', side + 'place');
        }
      }`,
    ],
    { cwd: at.join('upper'), stdio: ['ignore', 'pipe', 'inherit'] },
  );
  try {
    await once(restless.stdout, 'data');
    const open = (pathname: string, out: number): Op => ({ op: 'openat', dirfd: AT_FDCWD, pathname, flags: O.PATH | O.DIRECTORY, mode: 0, out });
    const until = performance.now() + (process.env.LAMELLA_LONG ? 20_000 : 1500);
    for (let round = 0; performance.now() < until; round++) {
      const told = new Set<string>();
      const compare = round % 2 === 0;
      await execute(
        compare
          ? [open(at.join('upper'), 5), open(at.join('lower'), 6), { op: 'compare', dirfd: 5, rootfd: 6, marks: MARKS.trusted }]
          : [{ op: 'walk', dirfd: AT_FDCWD, content: 1, pathname: at.join('upper') }],
        {
          onReply(reply) {
            if (reply.kind !== 'data') return;
            const object = compare ? (parseCompared(reply.data).upper ?? parseCompared(reply.data).lower) : parseWalked(reply.data);
            if (object) told.add(object.name);
          },
        },
      );
      if (compare) expect([...told].filter((name) => name.startsWith('swap'))).toHaveLength(names.length);
    }
  } finally {
    restless.kill('SIGKILL');
    await once(restless, 'exit');
  }
});

test('same_object tells an object from every other one, and openObject goes through no link', async () => {
  await using at = scratch();
  for (const name of ['one', 'two']) mkdirSync(at.join(name));
  symlinkSync('one', at.join('link'));
  writeFileSync(at.join('file'), '');
  const identify = (name: string): ObjectIdentity => {
    const { mode, dev, ino, birthtimeNs } = lstatSync(at.join(name), { bigint: true });
    return {
      type: Number(mode) & S_IF.IFMT,
      major: Number((dev >> 8n) & 0xfffn),
      minor: Number((dev & 0xffn) | ((dev >> 12n) & 0xfff00n)),
      inode: ino.toString(),
      birthSeconds: Number(birthtimeNs / 1_000_000_000n),
      birthNanoseconds: Number(birthtimeNs % 1_000_000_000n),
    };
  };
  const one = identify('one');
  const opened = (name: string, expected: ObjectIdentity): Promise<unknown> => execute(openObject(at.join(name), expected, 5));
  await opened('one', one);
  await opened('file', identify('file'));
  // What a filesystem does not keep is not compared.
  await opened('one', { ...one, birthSeconds: 0, birthNanoseconds: 0 });
  await opened('one', { ...one, inode: '0' });
  const others: ObjectIdentity[] = [
    identify('two'),
    { ...one, type: S_IF.IFREG },
    { ...one, major: one.major + 1 },
    { ...one, minor: one.minor + 1 },
    { ...one, inode: (BigInt(one.inode) + (1n << 32n)).toString() },
    { ...one, birthSeconds: one.birthSeconds + 1 },
    { ...one, birthNanoseconds: one.birthNanoseconds + 1 },
  ];
  for (const other of others) await expect(opened('one', other)).rejects.toMatchObject({ syscall: 'same_object', code: 'ESTALE' });
  await expect(opened('link', one)).rejects.toMatchObject({ syscall: 'openat2', code: 'ELOOP' });
  renameSync(at.join('one'), at.join('two/one'));
  symlinkSync('two', at.join('way'));
  await opened('two/one', one);
  await expect(opened('way/one', one)).rejects.toMatchObject({ syscall: 'openat2', code: 'ELOOP' });
});

test('mounts are made by both interfaces, moved, changed and taken away', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  mkdirSync(at.join('a'));
  mkdirSync(at.join('b'));
  mkdirSync(at.join('c'));
  const { exited } = await execute([
    ...privately,
    { op: 'mount', source: 'old', target: at.join('a'), filesystemtype: 'tmpfs', mountflags: MS.NODEV, data: 'size=1m' },
    { op: 'fsopen', fsname: 'tmpfs', flags: 1, out: 5 },
    { op: 'fsconfig', fd: 5, cmd: FSCONFIG.SET_STRING, key: 'source', value: 'new', aux: -1 },
    { op: 'fsconfig', fd: 5, cmd: FSCONFIG.CMD_CREATE, key: null, value: null, aux: -1 },
    { op: 'fsmount', fd: 5, flags: 1, mount_attrs: MOUNT_ATTR.NOEXEC, out: 6 },
    { op: 'move_mount', from_dirfd: 6, from_pathname: '', to_dirfd: AT_FDCWD, to_pathname: at.join('b'), flags: MOVE_MOUNT.F_EMPTY_PATH },
    { op: 'open_tree', dirfd: AT_FDCWD, pathname: at.join('b'), flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC, out: 7 },
    { op: 'mount_setattr', dirfd: 7, pathname: '', flags: AT.EMPTY_PATH, attr_set: MOUNT_ATTR.RDONLY, attr_clr: 0, propagation: 0, userns_fd: -1 },
    { op: 'move_mount', from_dirfd: 7, from_pathname: '', to_dirfd: AT_FDCWD, to_pathname: at.join('c'), flags: MOVE_MOUNT.F_EMPTY_PATH },
    { op: 'umount2', target: at.join('b'), flags: MNT.DETACH },
    inside([
      sh(
        `set -e; grep -q '${at.join('a')} .*nodev.* - tmpfs old' /proc/self/mountinfo; grep -q '${at.join('c')} ro,.*noexec.* - tmpfs new' /proc/self/mountinfo; ! grep -q '${at.join('b')} ' /proc/self/mountinfo`,
      ),
    ]),
  ]);
  expect(exited).toEqual({ status: 0, signal: 0 });
});

test('a process gets a root, names, ids, limits and capabilities of its own', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  const report = at.join('report');
  const script = `{ cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname; ulimit -n; id -u; id -g; id -G; grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; ip link show lo | grep -c 'LOOPBACK,UP'; readlink /proc/self/fd/9; umask;  } > ${report}`;
  chmodSync(at.path, 0o777);
  const ifreq = Buffer.alloc(40);
  ifreq.write('lo');
  ifreq.writeInt16LE(0x41, 16);
  const { exited, values } = await execute([
    { op: 'openat', dirfd: AT_FDCWD, pathname: '/', flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: 5 },
    inside(
      [
        { op: 'setsid' },
        { op: 'fchdir', fd: 5 },
        { op: 'chdir', path: '/' },
        { op: 'sethostname', name: 'host-of-test' },
        { op: 'setdomainname', name: 'domain-of-test' },
        { op: 'socket', domain: 2, type: 2, protocol: 0, out: 6 },
        { op: 'ioctl', fd: 6, request: IOCTL.SIOCSIFFLAGS, argument: 0, argp: ifreq },
        { op: 'setrlimit', resource: 7, rlim_cur: 77, rlim_max: 99 },
        { op: 'openat', dirfd: AT_FDCWD, pathname: '/dev/null', flags: O.RDONLY, mode: 0, out: 7 },
        { op: 'dup3', fd: 7, newfd: 9, flags: 0 },
        { op: 'prctl', option: PR.CAPBSET_DROP, arg2: 21, arg3: 0, arg4: 0, arg5: 0 },
        { op: 'setgroups', list: [7, 8] },
        { op: 'setresgid', rgid: 34, egid: 34, sgid: 34 },
        { op: 'umask', mask: 0o27, reply: true },
        { op: 'capset', effective: 0xc0, permitted: 0xc0, inheritable: 0 },
        { op: 'setresuid', ruid: 12, euid: 12, suid: 12 },
        { op: 'prctl', option: PR.SET_NO_NEW_PRIVS, arg2: 1, arg3: 0, arg4: 0, arg5: 0 },
        // Return ENOSYS (errno 38) for uname(2), allow all else.
        {
          op: 'seccomp',
          operation: 1,
          flags: 0,
          filter: bpf([
            [0x20, 0, 0, 0],
            [0x15, 0, 1, process.arch === 'x64' ? 63 : 160],
            [0x06, 0, 0, 0x00050026],
            [0x06, 0, 0, 0x7fff0000],
          ]),
        },
        { op: 'close_range', first: 10, last: 0xffffffff, flags: 0 },
        sh(`${script}; ! uname -a`),
      ],
      CLONE.NEWUTS + CLONE.NEWNET,
    ),
  ]);
  expect(exited).toEqual({ status: 0, signal: 0 });
  expect(values.size).toBe(1);
  const [hostname, domain, nofile, uid, gid, groups, effective, bounding, privileges, up, nine, umask] = readFileSync(report, 'utf8').split('\n');
  expect({ hostname, domain, nofile, uid, gid, groups, up, nine, umask }).toEqual({
    hostname: 'host-of-test',
    domain: 'domain-of-test',
    nofile: '77',
    uid: '12',
    gid: '34',
    groups: '34 7 8',
    up: '1',
    nine: '/dev/null',
    umask: '0027',
  });
  expect(effective).toMatch(/^CapEff:\s*0+$/);
  expect(BigInt(`0x${bounding?.split(/\s+/)[1]}`) & (1n << 21n)).toBe(0n);
  expect(privileges).toMatch(/^NoNewPrivs:\s*1$/);
});

test('chroot and pivot_root change what / is', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  mkdirSync(at.join('root'));
  await execute([
    { op: 'unshare', flags: CLONE.NEWNS },
    { op: 'mount', source: null, target: '/', filesystemtype: null, mountflags: MS.REC | MS.PRIVATE, data: null },
    { op: 'mount', source: at.join('root'), target: at.join('root'), filesystemtype: null, mountflags: MS.BIND, data: null },
    { op: 'chdir', path: at.join('root') },
    { op: 'pivot_root', new_root: '.', put_old: '.' },
    { op: 'umount2', target: '.', flags: MNT.DETACH },
    { op: 'mkdirat', dirfd: AT_FDCWD, pathname: '/by-pivot', mode: 0o755 },
  ]);
  await execute([
    { op: 'chdir', path: at.join('root') },
    { op: 'chroot', path: '.' },
    { op: 'mkdirat', dirfd: AT_FDCWD, pathname: '/by-chroot', mode: 0o755 },
  ]);
  expect(readdirSync(at.join('root')).sort()).toEqual(['by-chroot', 'by-pivot']);
});

test('setns joins the namespace of another process', async (context) => {
  requiresRoot(context);
  const { exited } = await execute([
    { op: 'openat', dirfd: AT_FDCWD, pathname: '/proc/self/ns/uts', flags: O.RDONLY | O.CLOEXEC, mode: 0, out: 5 },
    inside([
      { op: 'unshare', flags: CLONE.NEWUTS },
      { op: 'sethostname', name: 'elsewhere' },
      { op: 'setns', fd: 5, nstype: CLONE.NEWUTS },
      sh('[ "$(hostname)" != elsewhere ]'),
    ]),
  ]);
  expect(exited).toEqual({ status: 0, signal: 0 });
});

test('a lock that another process holds is refused or waited for', async () => {
  await using at = scratch();
  const open: Op = { op: 'openat', dirfd: AT_FDCWD, pathname: at.join('lock'), flags: O.RDWR | O.CREAT | O.CLOEXEC, mode: 0o600, out: 5 };
  const holder = execute([open, { op: 'flock', fd: 5, operation: LOCK.EX }, inside([sh('sleep 0.4')])]);
  while (!existsSync(at.join('lock'))) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 100));
  await expect(execute([open, { op: 'flock', fd: 5, operation: LOCK.EX | LOCK.NB }])).rejects.toMatchObject({ syscall: 'flock', code: 'EAGAIN' });
  await execute([open, { op: 'flock', fd: 5, operation: LOCK.EX }]);
  await holder;
});

test('a short file is read into a reply', async () => {
  await using at = scratch();
  writeFileSync(at.join('file'), 'content\n');
  const read: string[] = [];
  const onReply = (reply: Reply): void => {
    if (reply.kind === 'data') read.push(reply.data.toString());
  };
  await execute([{ op: 'read_file', dirfd: AT_FDCWD, pathname: at.join('file') }], { onReply });
  expect(read).toEqual(['content\n']);
  await expect(execute([{ op: 'read_file', dirfd: AT_FDCWD, pathname: at.join('none') }])).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a session keyring of its own is joined', async (context) => {
  await using at = scratch();
  if (!existsSync('/proc/keys')) skip(context, 'the kernel has no keys');
  const keys = (name: string): Op => sh(`cat /proc/keys >${at.join(name)}`);
  await execute([inside([{ op: 'keyctl', operation: 1, name: null, ignore: ['ENOSYS', 'EPERM', 'EDQUOT'] }, keys('own')])]);
  expect(readFileSync(at.join('own'), 'utf8')).toMatch(/keyring +_ses/);
});

test('an exit program runs after success, failure and the death of what was cloned, to its end', async () => {
  await using at = scratch();
  for (const [name, body] of [
    ['success', inside([sh('exit 3')])],
    ['killed', inside([sh('kill -9 $$')])],
    ['failed', { op: 'chdir', path: '/no/such' }],
  ] as const) {
    mkdirSync(at.join(name));
    const outcome = await execute([
      {
        op: 'on_exit',
        program: [
          { op: 'unlinkat', dirfd: AT_FDCWD, pathname: '/no/such/file', flags: 0 },
          { op: 'unlinkat', dirfd: AT_FDCWD, pathname: at.join(name), flags: AT.REMOVEDIR },
        ],
      },
      body,
    ]).catch((error: unknown) => error);
    expect(existsSync(at.join(name))).toBe(false);
    if (name === 'failed') expect(outcome).toMatchObject({ syscall: 'chdir', code: 'ENOENT' });
    else
      expect(outcome).toMatchObject({
        exited: name === 'success' ? { status: 3, signal: 0 } : { status: 137, signal: 9 },
        releaseFailures: [{ syscall: 'unlinkat', code: 'ENOENT' }],
      });
  }
});

test('failures that are allowed are told and do not end the program', async () => {
  const { ignored } = await execute([
    { op: 'chdir', path: '/no/such', ignore: ['ENOENT'] },
    { op: 'chdir', path: '/' },
  ]);
  expect(ignored).toEqual([{ op: { op: 'chdir', path: '/no/such', ignore: ['ENOENT'] }, index: 0, code: 'ENOENT' }]);
  await expect(execute([{ op: 'chdir', path: '/no/such', ignore: ['EACCES'] }])).rejects.toMatchObject({
    code: 'ENOENT',
    errno: 2,
    index: 0,
    args: { path: '/no/such' },
  });
});

test('interpreters after the first start from its sealed copy, which nobody can write to', async () => {
  const sleep = (): ReturnType<typeof start> => start([inside([{ op: 'execve', pathname: '/bin/sleep', argv: ['sleep', '5'], envp: [] }])]);
  const first = sleep();
  await first.started;
  const second = sleep();
  await second.started;
  const [one, two] = [first, second].map(({ pid }) => statSync(`/proc/${pid}/exe`));
  expect(readlinkSync(`/proc/${second.pid}/exe`)).toMatch(/^\/memfd:lamella-init/);
  expect([two?.dev, two?.ino]).toEqual([one?.dev, one?.ino]);
  expect(() => writeFileSync(`/proc/${second.pid}/exe`, 'x')).toThrow(/ETXTBSY|EPERM|EACCES/);
  for (const running of [first, second]) running.control({ op: 'signal', signo: 9 });
  await Promise.all([first.result, second.result]);
});

test('init reaps orphans, passes signals on and ends with its child', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  const script = `trap 'echo got > ${at.join('got')}; exit 9' TERM; (sleep 0.05 &) ; kill -TERM 1; while :; do sleep 0.02; done`;
  const { exited } = await execute([inside([{ op: 'init', job: 0 }, { op: 'setsid' }, sh(script)], CLONE.NEWPID)]);
  expect(exited).toEqual({ status: 9, signal: 0 });
  expect(readFileSync(at.join('got'), 'utf8')).toBe('got\n');
});

test('a terminal is opened in a devpts, and its master goes to the monitor', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  mkdirSync(at.join('pts'));
  exercised.add('pty');
  const running = start(
    [
      ...privately,
      { op: 'mount', source: 'devpts', target: at.join('pts'), filesystemtype: 'devpts', mountflags: 0, data: 'newinstance,ptmxmode=0666' },
      { op: 'openat', dirfd: AT_FDCWD, pathname: at.join('pts'), flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: 5 },
      inside([
        { op: 'pty', dirfd: 5, rows: 33, columns: 101, owner: 0, group: 5, out: 6, master: -1 },
        { op: 'setsid' },
        { op: 'ioctl', fd: 6, request: IOCTL.TIOCSCTTY, argument: 0, argp: null },
        { op: 'dup3', fd: 6, newfd: 0, flags: 0 },
        { op: 'dup3', fd: 6, newfd: 1, flags: 0 },
        sh('stty size; test -t 0 && echo a terminal'),
      ]),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  running.stdout?.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  expect((await running.result).exited).toEqual({ status: 0, signal: 0 });
  expect(output).toBe('33 101\r\na terminal\r\n');
});

test('wait holds a process until it is told to go', async (context: TestContext) => {
  requiresProgram(context, 'sh');
  await using at = scratch();
  exercised.add('wait');
  const running = start([inside([{ op: 'umask', mask: 0, reply: true }, { op: 'wait' }, sh(`echo went > ${at.join('file')}`)])]);
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(existsSync(at.join('file'))).toBe(false);
  running.control({ op: 'go' });
  expect((await running.result).exited?.status).toBe(0);
  expect(existsSync(at.join('file'))).toBe(true);
});

test('when whoever started a program dies, what it cloned dies and the exit program runs', async (context) => {
  requiresProgram(context, 'sh');
  await using at = scratch();
  mkdirSync(at.join('held'));
  const code = `import { start } from ${JSON.stringify(path.join(import.meta.dirname, '../../dist/index.js'))};
    const running = start([
      { op: 'on_exit', program: [{ op: 'rmtree', dirfd: -100, pathname: ${JSON.stringify(at.join('held'))} }] },
      { op: 'clone', flags: 0, monitor: 0, cgroup: -1, program: [{ op: 'prctl', option: 1, arg2: 9, arg3: 0, arg4: 0, arg5: 0 }, { op: 'execve', pathname: '/bin/sleep', argv: ['sleep', '100'], envp: [] }] }]);
    console.log(await running.started);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [chunk] = (await once(parent.stdout, 'data')) as [Buffer];
  const child = Number(String(chunk).trim());
  expect(existsSync(`/proc/${child}`)).toBe(true);
  parent.kill('SIGKILL');
  for (let i = 0; i < 400 && (existsSync(at.join('held')) || existsSync(`/proc/${child}`)); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect([existsSync(at.join('held')), existsSync(`/proc/${child}`)]).toEqual([false, false]);
});

test('a pidfd joins the namespaces of a process', async (context) => {
  requiresRoot(context);
  requiresProgram(context, 'sh');
  await using at = scratch();
  const holder = start([inside([{ op: 'sethostname', name: 'joined' }, sh('exec sleep 100')], CLONE.NEWUTS)]);
  const pid = (await holder.started) ?? -1;
  await execute([{ op: 'pidfd_open', pid, flags: 0, out: 5 }, { op: 'setns', fd: 5, nstype: CLONE.NEWUTS }, inside([sh(`hostname > ${at.join('name')}`)])]);
  expect(readFileSync(at.join('name'), 'utf8')).toBe('joined\n');
  holder.control({ op: 'signal', signo: 9 });
  await holder.result;
});

test('copy_file keeps what the kernel tells', async () => {
  await using at = scratch();
  await execute([{ op: 'copy_file', dirfd: AT_FDCWD, pathname: '/proc/version', newpath: at.join('copy') }]);
  expect(readFileSync(at.join('copy'), 'utf8')).toBe(readFileSync('/proc/version', 'utf8'));
  await expect(run([{ op: 'copy_file', dirfd: AT_FDCWD, pathname: at.join('none'), newpath: at.join('other') }])).rejects.toMatchObject({ code: 'ENOENT' });
  expect(existsSync(at.join('other'))).toBe(false);
});

test('how a process is run: personality, scheduler, processors, memory, and what it may execute', async (context) => {
  requiresRoot(context);
  requiresProgram(context, 'sh');
  await using at = scratch();
  await execute([
    {
      op: 'clone',
      flags: 0,
      monitor: 0,
      program: [
        { op: 'personality', persona: 8 },
        { op: 'sched_setattr', policy: 3, flags: 0, nice: 7, priority: 0, runtime: 0, deadline: 0, period: 0 },
        { op: 'ioprio_set', which: 1, who: 0, ioprio: (2 << 13) | 6 },
        { op: 'sched_setaffinity', mask: Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]) },
        { op: 'set_mempolicy', mode: 0, mask: '' },
        { op: 'faccessat', dirfd: AT_FDCWD, pathname: '/proc/version', mode: 1, flags: 0, ignore: ['EACCES'] },
        { op: 'faccessat', dirfd: AT_FDCWD, pathname: '/bin/sh', mode: 1, flags: 0 },
        sh(`(uname -m; cut -d' ' -f19,41 /proc/self/stat; grep Cpus_allowed_list /proc/self/status) > ${at.join('is')}`),
      ],
    },
  ]);
  const [machine, nicePolicy, processors] = readFileSync(at.join('is'), 'utf8').trim().split('\n');
  expect(machine).toMatch(/^(?:i686|armv8l)$/);
  expect(nicePolicy).toBe('7 3');
  expect(processors?.split(/\s+/)).toEqual(['Cpus_allowed_list:', '0']);
});

test('a descriptor that this process has is inherited, sent through a socket, and taken from a process', async (context) => {
  requiresRoot(context);
  const python = requiresProgram(context, 'python3');
  await using at = scratch();
  const socket = at.join('socket');
  const receiver = spawn(
    python,
    [
      '-c',
      `import socket,array,os\ns=socket.socket(socket.AF_UNIX); s.bind(${JSON.stringify(socket)}); s.listen(1); print('ready', flush=True)\nc,_=s.accept(); d,a,_,_=c.recvmsg(99, socket.CMSG_SPACE(4)); f=array.array('i'); f.frombytes(a[0][2][:4]); print(d.decode(), os.read(f[0], 99).decode(), flush=True)`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let said = '';
  receiver.stdout.on('data', (data) => {
    said += data;
  });
  const ended = once(receiver, 'exit');
  while (!said.includes('ready')) await new Promise((resolve) => setTimeout(resolve, 10));
  writeFileSync(at.join('file'), 'content');
  const descriptor = openSync(at.join('file'), 'r');
  const pid = process.pid;
  await execute(
    [
      { op: 'inherited', number: 5, out: 10 },
      { op: 'inherited', number: 4, out: 11 },
      { op: 'reply_to', fd: 11, least: 40 },
      { op: 'pidfd_open', pid, flags: 0, out: 12 },
      { op: 'pidfd_getfd', fd: 12, targetfd: descriptor, flags: 0, out: 13 },
      { op: 'socket', domain: 1, type: 0o2000001, protocol: 0, out: 14 },
      { op: 'connect', fd: 14, pathname: socket },
      { op: 'send_fd', fd: 14, passed: 10, data: 'here it is:' },
    ],
    { descriptors: [descriptor] },
  );
  await ended;
  closeSync(descriptor);
  expect(said.trim().split('\n')[1]).toBe('here it is: content');
});

test("a program of the kernel's decides about devices, where cgroups are of version 2", async (context) => {
  requiresRoot(context);
  // r0 = 1; exit: everything is allowed.
  const instructions = Buffer.from('b700000001000000' + '9500000000000000', 'hex');
  await execute([{ op: 'bpf_prog_load', type: 15, attach_type: 6, instructions, out: 5 }]);
  // A directory outside of cgroups is refused; one that is takes it on the second kernel (test/machine).
  await expect(
    execute([
      { op: 'bpf_prog_load', type: 15, attach_type: 6, instructions, out: 5 },
      { op: 'openat', dirfd: AT_FDCWD, pathname: '/', flags: O.RDONLY | O.DIRECTORY | O.CLOEXEC, mode: 0, out: 6 },
      { op: 'bpf_prog_attach', target_fd: 6, attach_bpf_fd: 5, attach_type: 6, flags: 2 },
    ]),
  ).rejects.toMatchObject({ code: 'EBADF', syscall: 'bpf_prog_attach' });
});

test('a user namespace is made from outside, seen by mounts, and entered', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  writeFileSync(at.join('file'), '');
  mkdirSync(at.join('seen'));
  const chunks: string[] = [];
  await execute(
    [
      { op: 'userns', uid_map: '0 500000 10\n', gid_map: '0 600000 10\n', out: 5 },
      { op: 'unshare', flags: CLONE.NEWNS },
      { op: 'mount', source: null, target: '/', filesystemtype: null, mountflags: MS.REC | MS.PRIVATE, data: null },
      { op: 'open_tree', dirfd: AT_FDCWD, pathname: at.path, flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC, out: 6 },
      { op: 'mount_setattr', dirfd: 6, pathname: '', flags: AT.EMPTY_PATH, attr_set: MOUNT_ATTR.IDMAP, attr_clr: 0, propagation: 0, userns_fd: 5 },
      { op: 'move_mount', from_dirfd: 6, from_pathname: '', to_dirfd: AT_FDCWD, to_pathname: at.path, flags: MOVE_MOUNT.F_EMPTY_PATH },
      { op: 'setns', fd: 5, nstype: CLONE.NEWUSER },
      { op: 'setresgid', rgid: 0, egid: 0, sgid: 0 },
      { op: 'setresuid', ruid: 0, euid: 0, suid: 0 },
      { op: 'read_file', dirfd: AT_FDCWD, pathname: '/proc/self/gid_map' },
      // Only who is the root of these ids may write there, and on the disk it is root's.
      { op: 'write_file', dirfd: AT_FDCWD, pathname: at.join('made'), flags: O.WRONLY | O.CREAT | O.CLOEXEC, mode: 0o600, data: 'x' },
    ],
    { onReply: (reply) => (reply.kind === 'data' ? chunks.push(reply.data.toString()) : undefined) },
  );
  expect(chunks.join('').trim().split(/\s+/)).toEqual(['0', '600000', '10']);
  const { uid, gid } = statSync(at.join('made'));
  expect([uid, gid]).toEqual([0, 0]);
  await expect(execute([{ op: 'userns', uid_map: '0 1 nothing\n', gid_map: '0 1 1\n', out: 5 }])).rejects.toMatchObject({ code: 'EINVAL', syscall: 'userns' });
});

test('pipes that are stdio get an owner, and nothing else does', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  writeFileSync(at.join('file'), '');
  execFileSync('mkfifo', [at.join('fifo')]);
  // Both ends, or opening it would wait.
  const [file, fifo] = [openSync(at.join('file'), 'r'), openSync(at.join('fifo'), 'r+')];
  const before = statSync('/dev/null').uid;
  await execute([{ op: 'own_stdio', owner: 1234, group: 5678 }], { stdio: [file, 'ignore', fifo] });
  const owners = [at.join('fifo'), at.join('file'), '/dev/null'].map((name) => statSync(name).uid);
  expect(owners).toEqual([1234, 0, before]);
  for (const each of [file, fifo]) closeSync(each);
});

test('the kernel is asked by netlink, and its answers are data', async (context) => {
  requiresRoot(context);
  const answers: Buffer[] = [];
  const onReply = (reply: Reply): void => void (reply.kind === 'data' && answers.push(reply.data));
  const socket = { op: 'socket', domain: 16, type: 0o2000003, protocol: 0, out: 5 } as const;
  // struct nlmsghdr and struct ifinfomsg: RTM_GETLINK of what has this index, or of all.
  const links = (flags: number, index: number): Buffer => {
    const message = Buffer.alloc(32);
    message.writeUInt32LE(32);
    message.writeUInt16LE(18, 4);
    message.writeUInt16LE(flags, 6);
    message.writeInt32LE(index, 20);
    return message;
  };
  await execute(
    [{ op: 'unshare', flags: CLONE.NEWNET }, socket, { op: 'netlink', fd: 5, data: links(0x301, 0) }, { op: 'netlink', fd: 5, data: links(5, 1) }],
    {
      onReply,
    },
  );
  // A dump may have more than `lo` in it: fallback devices of tunnels.
  expect(answers.length).toBeGreaterThan(1);
  for (const each of [answers[0], answers.at(-1)]) expect([each?.readUInt16LE(4), each?.readInt32LE(20), each?.includes('lo\0')]).toEqual([16, 1, true]);
  await expect(execute([{ op: 'unshare', flags: CLONE.NEWNET }, socket, { op: 'netlink', fd: 5, data: links(5, 9999) }])).rejects.toMatchObject({
    code: 'ENODEV',
    syscall: 'netlink',
  });
});

/** Those that monitors obey; monitor.kernel.test.ts gives them, and tries `supervise`; try-signals.test.ts gives `foreground`. */
const ORDERS = ['signal', 'resize', 'go', 'input', 'stop', 'end_input', 'watch', 'leave', 'foreground', 'supervise'];

test('every op there is was run against the kernel', (context) => {
  requiresRoot(context);
  expect(Object.keys(OPCODES).filter((name) => !exercised.has(name) && !ORDERS.includes(name))).toEqual([]);
});

function bpf(instructions: readonly (readonly [code: number, jt: number, jf: number, k: number])[]): Buffer {
  const filter = Buffer.alloc(instructions.length * 8);
  for (const [i, [code, jt, jf, k]] of instructions.entries()) {
    filter.writeUInt16LE(code, i * 8);
    filter.writeUInt8(jt, i * 8 + 2);
    filter.writeUInt8(jf, i * 8 + 3);
    filter.writeUInt32LE(k, i * 8 + 4);
  }
  return filter;
}
