import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AT_FDCWD, O, type Op, ownMountNamespace, type Program, run, slotAllocator } from '@lamella/syscall';
import { mountsBelow, requiresProgram, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { describe, expect, test } from 'vitest';
import { STACK_CONTRACT } from './contract.js';
import { diagnose, mountOverlay, type OverlayMethod, type OverlayStack, overlayMount, probeFeatures } from './index.js';

/** A stack with directories that exist. */
function stackIn(at: ScratchDirectory, lowers = ['lower']): OverlayStack & { upperdir: string; workdir: string } {
  for (const name of [...lowers, 'upper', 'work', 'merged']) mkdirSync(at.join(name), { recursive: true });
  return { lowerdirs: lowers.map((name) => at.join(name)), upperdir: at.join('upper'), workdir: at.join('work'), merged: at.join('merged') };
}

/** The same with what is in it elsewhere. */
function scratchOn(at: ScratchDirectory, directory: string): ScratchDirectory {
  return { ...at, join: (...parts) => path.join(directory, ...parts) };
}

/** Mount by one certain method, whatever the stack would need. */
async function mountBy(method: OverlayMethod, stack: OverlayStack): Promise<AsyncDisposable & { path: string }> {
  await run(overlayMount(stack, method));
  return {
    path: stack.merged,
    async [Symbol.asyncDispose]() {
      await run([{ op: 'umount2', target: stack.merged, flags: 0 }]);
    },
  };
}

describe.each(['mount', 'lowerdir+', 'descriptors'] as const)('a stack mounted by %s', (method) => {
  test.for(STACK_CONTRACT.map(({ name, run: check }) => [name, check] as const))('%s', async ([, check], context) => {
    requiresRoot(context);
    await using at = scratch();
    await check({ mount: (stack) => mountBy(method, stack), marks: 'trusted' }, at.path);
  });
});

/** It puts `.wh.` before a name that is deleted. And it copies a file after it has made it set-user-ID, which the kernel takes away in a user namespace. */
const FUSE_NAME_MAX = 255 - '.wh.'.length;

describe('a stack mounted by fuse-overlayfs', () => {
  test.for(STACK_CONTRACT.map(({ name, run: check }) => [name, check] as const))('%s', async ([, check], context) => {
    requiresRoot(context);
    const fuse = { program: requiresProgram(context, 'fuse-overlayfs'), allowOther: true };
    await using at = scratch();
    await check({ mount: (stack) => mountOverlay({ ...stack, fuse }), marks: 'files', nameMax: FUSE_NAME_MAX }, at.path);
  });
});

test('where the kernel can have no upper, fuse-overlayfs joins the layers by itself', async (context) => {
  requiresRoot(context);
  requiresProgram(context, 'fuse-overlayfs');
  await using at = scratch();
  await using below = await mountOverlay(stackIn(at));
  const on = scratchOn(at, below.path);
  const stack = stackIn(on, ['of, a:kind\\', 'other']);
  writeFileSync(path.join(stack.lowerdirs[1] ?? '', 'file'), 'x');
  {
    await using mounted = await mountOverlay(stack);
    expect(mounted.method).toBe('fuse');
    expect(readFileSync(path.join(mounted.path, 'file'), 'utf8')).toBe('x');
    rmSync(path.join(mounted.path, 'file'));
    writeFileSync(path.join(mounted.path, 'new'), '');
  }
  expect(readdirSync(stack.upperdir).sort()).toEqual(['.wh.file', 'new']);
});

test.for(['the kernel', 'fuse-overlayfs'] as const)(
  'an ordinary user keeps the whole contract in a user namespace (%s)',
  { timeout: 120_000 },
  async (joiner, context) => {
    requiresRoot(context);
    const fuse = joiner === 'the kernel' ? undefined : { program: requiresProgram(context, 'fuse-overlayfs'), allowOther: true };
    await using at = scratch();
    const checkout = path.join(import.meta.dirname, '..');
    const script = `
    import { mkdtempSync } from 'node:fs';
    import { STACK_CONTRACT } from ${JSON.stringify(path.join(checkout, 'dist/contract.js'))};
    import { mountOverlay } from ${JSON.stringify(path.join(checkout, 'dist/index.js'))};
    const fuse = ${JSON.stringify(fuse)};
    const implementation = fuse ? { mount: (stack) => mountOverlay({ ...stack, fuse }), marks: 'files', nameMax: ${FUSE_NAME_MAX}, modeBits: 0o777 } : { mount: mountOverlay, marks: 'user' };
    const results = {};
    for (const { name, run } of STACK_CONTRACT)
      results[name] = await run(implementation, mkdtempSync(${JSON.stringify(at.join('user/'))})).then(() => 'kept', (error) => String(error.stack));
    console.log(JSON.stringify(results));`;
    mkdirSync(at.join('user'));
    await run([
      { op: 'fchownat', dirfd: -100, pathname: at.path, owner: 65534, group: 65534, flags: 0 },
      { op: 'fchownat', dirfd: -100, pathname: at.join('user'), owner: 65534, group: 65534, flags: 0 },
    ]);
    const node = [process.execPath, '--input-type=module', '-e', script];
    const child = fuse
      ? spawn('unshare', ['--mount', 'sh', '-c', OPEN_FUSE, at.path, ...node], { stdio: ['ignore', 'pipe', 'inherit'], cwd: '/' })
      : spawn(process.execPath, node.slice(1), { uid: 65534, gid: 65534, stdio: ['ignore', 'pipe', 'inherit'], cwd: '/' });
    const output = (await Array.fromAsync(child.stdout)).join('');
    expect(JSON.parse(output)).toEqual(Object.fromEntries(STACK_CONTRACT.map(({ name }) => [name, 'kept'])));
    await run([{ op: 'rmtree', dirfd: -100, pathname: at.join('user') }]);
  },
);

/** A command as nobody, who may use /dev/fuse as udev has it on most machines. */
const OPEN_FUSE = `
mkdir "$0/dev" && mount -t tmpfs tmpfs "$0/dev" && mknod -m 666 "$0/dev/fuse" c 10 229 && mount --bind "$0/dev/fuse" /dev/fuse &&
exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"`;

test('a path may have any characters, be long, or both', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  const names = ['plain', 'a:b,c\\d "e"\nf', 'ünïcödé', path.join(...Array.from({ length: 12 }, () => 'n'.repeat(200)))];
  for (const [i, name] of names.entries()) {
    mkdirSync(at.join(String(i), name), { recursive: true });
    writeFileSync(at.join(String(i), name, 'file'), name);
    await using inner = scratch();
    const { upperdir, workdir, merged } = stackIn(inner);
    await using mounted = await mountOverlay({ lowerdirs: [at.join(String(i), name)], upperdir, workdir, merged });
    expect(readFileSync(path.join(mounted.path, 'file'), 'utf8')).toBe(name);
  }
  const odd = at.join('odd,:\\ \n');
  for (const name of ['upper', 'work', 'merged']) mkdirSync(path.join(odd, name), { recursive: true });
  await using all = await mountOverlay({
    lowerdirs: [at.join('0/plain')],
    upperdir: path.join(odd, 'upper'),
    workdir: path.join(odd, 'work'),
    merged: path.join(odd, 'merged'),
  });
  writeFileSync(path.join(all.path, 'new'), '');
  expect(readdirSync(path.join(odd, 'upper'))).toEqual(['new']);
});

test('five hundred layers are joined, one more is refused', { timeout: 60_000 }, async (context) => {
  requiresRoot(context);
  await using at = scratch();
  const names = Array.from({ length: 500 }, (_, i) => `layers-of-a-very-tall-stack/${'x'.repeat(40)}-${i}`);
  const stack = stackIn(at, names);
  for (const [i, lower] of stack.lowerdirs.entries()) writeFileSync(path.join(lower, `file-${i}`), '');
  for (const method of ['lowerdir+', 'descriptors'] as const) {
    await using mounted = await mountBy(method, stack);
    expect(readdirSync(mounted.path)).toHaveLength(500);
  }
  await expect(mountOverlay({ ...stack, lowerdirs: [...stack.lowerdirs, at.path] })).rejects.toMatchObject({ code: 'OVERLAY_TOO_MANY_LOWERS' });
});

test.for(['lowerdir+', 'descriptors', 'fuse'] as const)('descriptors that are open stay what they are, however many they are: %s', async (method, context) => {
  requiresRoot(context);
  const fuse = method === 'fuse' ? { fuse: { program: requiresProgram(context, 'fuse-overlayfs'), allowOther: true } } : {};
  await using at = scratch();
  const stack = { ...stackIn(at, ['a,:', 'b,:', 'c,:']), ...fuse };
  const slots = slotAllocator();
  const held = Array.from({ length: 600 }, (_, i) => ({ slot: slots(), path: at.join(`held-${i}`) }));
  for (const { path } of held) mkdirSync(path);
  await run([
    ...held.map(({ path, slot }): Op => ({ op: 'openat', dirfd: AT_FDCWD, pathname: path, flags: O.PATH | O.CLOEXEC, mode: 0, out: slot })),
    ...overlayMount(stack, method, slots),
    ...held.map(({ slot }): Op => ({ op: 'mkdirat', dirfd: slot, pathname: 'own', mode: 0o700 })),
    { op: 'umount2', target: stack.merged, flags: 0 },
  ]);
  expect(held.filter(({ path }) => readdirSync(path).join() !== 'own')).toEqual([]);
});

test('without an upper the view is read-only', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  const { merged } = stackIn(at, ['a', 'b']);
  writeFileSync(at.join('b/file'), 'x');
  await using mounted = await mountOverlay({ lowerdirs: [at.join('a'), at.join('b')], merged });
  expect(readFileSync(path.join(mounted.path, 'file'), 'utf8')).toBe('x');
  expect(() => writeFileSync(path.join(mounted.path, 'new'), '')).toThrow(/EROFS/);
});

describe('a refusal says what is wrong', () => {
  const refusals: readonly (readonly [
    what: string,
    code: string,
    message: RegExp,
    spoil: (at: ScratchDirectory, stack: ReturnType<typeof stackIn>) => OverlayStack,
  ])[] = [
    ['a missing lower', 'OVERLAY_DIRECTORY_MISSING', /lower directory .*nowhere.*ENOENT/, (at, stack) => ({ ...stack, lowerdirs: [at.join('nowhere')] })],
    [
      'a file as upper',
      'OVERLAY_NOT_A_DIRECTORY',
      /the upper .*file is not a directory/,
      (at, stack) => {
        writeFileSync(at.join('file'), '');
        return { ...stack, upperdir: at.join('file') };
      },
    ],
    ['work on another filesystem', 'OVERLAY_WORK_ELSEWHERE', /different filesystems/, (_, stack) => ({ ...stack, workdir: '/dev/shm' })],
    [
      'work inside of upper',
      'OVERLAY_OVERLAP',
      /overlap/,
      (_, stack) => {
        mkdirSync(path.join(stack.upperdir, 'work'));
        return { ...stack, workdir: path.join(stack.upperdir, 'work') };
      },
    ],
    [
      'upper inside of a lower',
      'OVERLAY_OVERLAP',
      /overlap/,
      (at, stack) => {
        mkdirSync(at.join('lower/upper'));
        return { ...stack, upperdir: at.join('lower/upper'), workdir: at.join('work') };
      },
    ],
  ];
  test.for(refusals)('%s', async ([, code, message, spoil], context) => {
    requiresRoot(context);
    await using at = scratch();
    const stack = spoil(at, stackIn(at));
    await expect(mountOverlay(stack)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/\w{4}/),
    });
    expect(mountsBelow(at.path)).toEqual([]);
  });

  test('an upper on a filesystem without what it takes', async (context) => {
    requiresRoot(context);
    await using at = scratch();
    await using below = await overlayAt(at);
    const stack = stackIn(scratchOn(at, below.path));
    const error = await run(overlayMount(stack, 'mount')).catch((refused: unknown) => diagnose(refused, stack));
    expect(error).toMatchObject({
      code: 'OVERLAY_UPPER_UNSUPPORTED',
      message: expect.stringContaining('overlay on overlayfs cannot hold the upper'),
      hint: expect.stringContaining('ext4'),
    });
  });

  test('no device of fuse', async (context) => {
    requiresRoot(context);
    const fuse = requiresProgram(context, 'fuse-overlayfs');
    await using at = scratch();
    const stack = { ...stackIn(at), fuse: { program: fuse, allowOther: true } };
    const hidden: Program = [...ownMountNamespace(), { op: 'mount', source: 'tmpfs', target: '/dev', filesystemtype: 'tmpfs', mountflags: 0, data: null }];
    const error = await run([...hidden, ...overlayMount(stack)]).catch((refused: unknown) => diagnose(refused, stack));
    expect(error).toMatchObject({ code: 'OVERLAY_FUSE_UNAVAILABLE', message: expect.stringContaining('ENOENT'), hint: expect.stringContaining('--root') });
  });

  test('a third overlay on top of another', async (context) => {
    requiresRoot(context);
    await using at = scratch();
    await using first = await overlayAt(at);
    await using scratch2 = scratch();
    const second = await mountOverlay({ ...stackIn(scratch2), lowerdirs: [first.path] });
    try {
      await using scratch3 = scratch();
      await expect(mountOverlay({ ...stackIn(scratch3), lowerdirs: [second.path] })).rejects.toMatchObject({
        code: 'OVERLAY_TOO_DEEP',
        hint: expect.stringContaining('plain filesystem'),
      });
    } finally {
      await second.unmount();
    }
  });

  async function overlayAt(at: ScratchDirectory): Promise<AsyncDisposable & { path: string }> {
    for (const name of ['l0', 'u0', 'w0', 'm0']) mkdirSync(at.join(name));
    return mountOverlay({ lowerdirs: [at.join('l0')], upperdir: at.join('u0'), workdir: at.join('w0'), merged: at.join('m0') });
  }
});

test('a mount that is busy says so, and can be unmounted later', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  const mounted = await mountOverlay(stackIn(at));
  const child = spawn('sleep', ['100'], { cwd: mounted.path });
  try {
    await expect(mounted.unmount()).rejects.toMatchObject({ code: 'OVERLAY_BUSY', hint: expect.stringContaining('process') });
  } finally {
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
  }
  await mounted.unmount();
  await mounted.unmount();
  expect(mountsBelow(at.path)).toEqual([]);
});

test('features are found by trying, and nothing stays of it', async () => {
  await using at = scratch();
  const features = await probeFeatures(at.path);
  expect(features.overlay).toBe(true);
  expect(Object.values(features).every((value) => typeof value === 'boolean')).toBe(true);
  const release = readFileSync('/proc/sys/kernel/osrelease', 'utf8').split('.').map(Number);
  expect(features.lowerdirPlus).toBe((release[0] ?? 0) * 100 + (release[1] ?? 0) >= 607);
  expect(readdirSync(at.path)).toEqual([]);
  expect(statSync(at.path).isDirectory()).toBe(true);
});
