import { CLONE, MS, mapSingleId, type Op, type Program, run, start } from '@lamella/syscall';
import { diagnose, findOverlap } from './diagnose.js';
import { hasLowerdirPlus } from './features.js';
import { fuseOverlayFor } from './fuse-overlay.js';
import { OVERLAY_STACK, read } from './option-shapes.js';
import { OverlayError } from './overlay-error.js';
import { methodFor, type OverlayMethod, overlayMount } from './overlay-mount.js';
import type { OverlayStack } from './stack.js';

/** A mounted stack. Disposing unmounts it; the directories stay. */
export interface OverlayMount extends AsyncDisposable {
  /** Where this process sees the merged view. */
  readonly path: string;
  /** How the layers are joined: by the kernel, or by fuse-overlayfs(1). */
  readonly method: OverlayMethod;
  /** Unmounts; the directories stay. */
  unmount(): Promise<void>;
}

/**
 * Mounts a stack, visible on the host for root.
 * Where the kernel cannot have its upper, and fuse-overlayfs(1) is installed, that does it. For an ordinary user the mount lives in a user and
 * mount namespace which a small process holds; `path` leads there through /proc, and the kernel
 * takes the mount away with that process, whatever becomes of this one.
 *
 * @throws OverlayError with the reason, see the README
 *
 * @example
 * ```js
 * import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
 * import { mountOverlay } from '@lamella/overlay';
 *
 * const [lower = '', upperdir = '', workdir = '', merged = ''] = ['l', 'u', 'w', 'm'].map((name) => `${process.cwd()}/${name}`);
 * for (const directory of [lower, upperdir, workdir, merged]) mkdirSync(directory);
 * writeFileSync(`${lower}/file`, 'from below');
 * await using mount = await mountOverlay({ lowerdirs: [lower], upperdir, workdir, merged });
 * console.log(readFileSync(`${mount.path}/file`, 'utf8')); // from below
 * ```
 */
export async function mountOverlay(asked: OverlayStack): Promise<OverlayMount> {
  const stack = read('mountOverlay(stack)', asked, OVERLAY_STACK);
  const root = process.geteuid?.() === 0;
  const fuse = stack.fuse ?? (stack.upperdir === undefined ? undefined : fuseOverlayFor(stack.upperdir));
  const whole: OverlayStack = {
    ...stack,
    ...(root ? {} : { options: { userxattr: true, ...stack.options } }),
    // Its ids are those of a namespace of one id.
    ...(fuse === undefined ? {} : { fuse: root ? fuse : { ...fuse, allowOther: false } }),
  };
  const method = methodFor(whole, { lowerdirPlus: methodFor(whole, { lowerdirPlus: false }) === 'mount' || (await hasLowerdirPlus()) });
  const ops = overlayMount(whole, method);
  const overlap = await findOverlap(whole);
  if (overlap) throw overlap;
  try {
    return root ? await mountOnHost(whole, ops, method) : await mountPrivately(whole, ops, method);
  } catch (error) {
    throw await diagnose(error, whole);
  }
}

async function mountOnHost(stack: OverlayStack, ops: Program, method: OverlayMethod): Promise<OverlayMount> {
  await run(ops);
  let mounted = true;
  const unmount = async (): Promise<void> => {
    if (!mounted) return;
    mounted = false;
    try {
      await run([{ op: 'umount2', target: stack.merged, flags: 0 }]);
    } catch (cause) {
      mounted = true;
      throw new OverlayError({
        code: 'OVERLAY_BUSY',
        message: `${stack.merged} cannot be unmounted: ${(cause as { code?: string }).code}`,
        hint: 'A process still has a file or its directory there; end it and try again.',
        cause,
      });
    }
  };
  return { path: stack.merged, method, unmount, [Symbol.asyncDispose]: unmount };
}

async function mountPrivately(stack: OverlayStack, ops: Program, method: OverlayMethod): Promise<OverlayMount> {
  const ready: Op = { op: 'umask', mask: 0o22, reply: true };
  const inside: Program = [
    { op: 'prctl', option: 1, arg2: 9, arg3: 0, arg4: 0, arg5: 0 },
    ...mapSingleId({ uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }),
    { op: 'mount', source: null, target: '/', filesystemtype: null, mountflags: MS.REC | MS.PRIVATE, data: null },
    ...ops,
    ready,
    { op: 'wait' },
  ];
  const mounted = Promise.withResolvers<void>();
  const running = start([{ op: 'clone', flags: CLONE.NEWUSER | CLONE.NEWNS, monitor: 0, program: inside }], {
    onReply: (reply) => {
      if (reply.kind === 'ok') mounted.resolve();
    },
  });
  await Promise.race([mounted.promise, running.result.then(() => undefined)]);
  const holder = await holderOf(running.pid);
  let open = true;
  const unmount = async (): Promise<void> => {
    if (!open) return;
    open = false;
    running.control({ op: 'go' });
    await running.result;
  };
  return { path: `/proc/${holder}/root${stack.merged}`, method, unmount, [Symbol.asyncDispose]: unmount };
}

/** The one child of the monitor. */
async function holderOf(monitor: number): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  const children = await readFile(`/proc/${monitor}/task/${monitor}/children`, 'utf8');
  return Number(children.trim().split(' ')[0]);
}
