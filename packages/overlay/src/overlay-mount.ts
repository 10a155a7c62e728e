import {
  AT_FDCWD,
  FSCONFIG,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOVE_MOUNT,
  MS,
  O,
  type ObjectIdentity,
  type Op,
  openObject,
  type Program,
  type SlotAllocator,
  slotAllocator,
} from '@lamella/syscall';
import type { OverlayErrorCode } from './error-codes.js';
import { fuseOverlayDetached } from './fuse-overlay.js';
import { firstNamed } from './named-descriptors.js';
import { attributesOf, setting } from './new-mount.js';
import { optionList, optionString } from './options.js';
import { OverlayError } from './overlay-error.js';
import { MAX_LOWERDIRS, type OverlayStack } from './stack.js';

/** mount(2) copies one page of options, its final NUL included. */
const PAGE = 4096;
/** fsconfig(2) takes strings up to 255 bytes. */
const FSCONFIG_STRING_MAX = 255;
/**
 * How the kernel receives a stack. `mount`: one mount(2). `lowerdir+`: the new mount API, one
 * call per layer, since 6.7. `descriptors`: mount(2) with layers named by descriptor number,
 * relative to /proc/self/fd; needs nothing newer than /proc. `fuse`: the kernel is not told, fuse-overlayfs(1) is.
 */
export type OverlayMethod = 'mount' | 'lowerdir+' | 'descriptors' | 'fuse';

/** The method for a stack: the plainest that can express it. */
export function methodFor(stack: OverlayStack, features: { readonly lowerdirPlus: boolean }): OverlayMethod {
  if (stack.fuse !== undefined) return 'fuse';
  if (Buffer.byteLength(optionString(stack)) < PAGE && !isExpecting(stack)) return 'mount';
  return features.lowerdirPlus ? 'lowerdir+' : 'descriptors';
}

/** Whether a lower has to be a certain object: then only its descriptor may name it. */
function isExpecting({ expected, lowerdirs }: Pick<OverlayStack, 'expected' | 'lowerdirs'>): boolean {
  return expected !== undefined && lowerdirs.some((each) => expected[each] !== undefined);
}

/**
 * The ops that mount a stack.
 *
 * @throws OverlayError `OVERLAY_NO_LOWER`, `OVERLAY_TOO_MANY_LOWERS`, `OVERLAY_NO_WORKDIR`,
 * `OVERLAY_RELATIVE_PATH`
 */
export function overlayMount(
  stack: OverlayStack,
  method: OverlayMethod = methodFor(stack, { lowerdirPlus: false }),
  slots: SlotAllocator = slotAllocator(),
): Program {
  check(stack);
  switch (method) {
    case 'mount':
      return [mountOp(stack, optionString(stack))];
    case 'lowerdir+':
      return withNewApi(stack, slots);
    case 'descriptors':
      return withDescriptors(stack, slots);
    case 'fuse': {
      const mount = slots();
      return [...overlayDetached(stack, mount, slots), ...attached(mount, stack.merged)];
    }
  }
}

function check(stack: OverlayStack): void {
  const fail = (code: OverlayErrorCode, message: string, hint: string): never => {
    throw new OverlayError({ code, message, hint });
  };
  if (stack.lowerdirs.length === 0) fail('OVERLAY_NO_LOWER', 'an overlay needs at least one lower directory', 'Name the image layers in lowerdirs.');
  if (stack.lowerdirs.length > MAX_LOWERDIRS)
    fail(
      'OVERLAY_TOO_MANY_LOWERS',
      `${stack.lowerdirs.length} lower directories are more than the ${MAX_LOWERDIRS} that overlayfs joins`,
      'Squash layers of the image.',
    );
  if ((stack.upperdir === undefined) !== (stack.workdir === undefined))
    fail('OVERLAY_NO_WORKDIR', 'an upper directory and a work directory go together', 'Give both, or neither for a read-only view.');
  for (const path of [...stack.lowerdirs, stack.upperdir, stack.workdir, stack.merged])
    if (path !== undefined && !path.startsWith('/'))
      fail('OVERLAY_RELATIVE_PATH', `${JSON.stringify(path)} is not an absolute path`, 'Resolve it before; programs run with / as their directory.');
}

function mountOp(stack: OverlayStack, data: string): Op {
  const mountflags = (stack.flags ?? 0) | (stack.upperdir === undefined ? MS.RDONLY : 0);
  return { op: 'mount', source: 'overlay', target: stack.merged, filesystemtype: 'overlay', mountflags, data };
}

/** Opens a directory under a descriptor of a known number, so that a short string can name it. */
function openAs(number: number, pathname: string, expected: ObjectIdentity | undefined, slots: SlotAllocator): Program {
  const slot = slots();
  return [
    ...(expected
      ? openObject(pathname, expected, slot)
      : ([{ op: 'openat', dirfd: AT_FDCWD, pathname, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: slot }] as const)),
    { op: 'dup3', fd: slot, newfd: number, flags: O.CLOEXEC },
    { op: 'close', fd: slot },
  ];
}

/** The named descriptors are not slots; this closes them all at once. */
function closeNamed(first: number | undefined, count: number): Program {
  return first !== undefined ? [{ op: 'close_range', first, last: first + count - 1, flags: 0 }] : [];
}

/** So many layers, named by descriptors, fit in one string of fsconfig(2). */
const JOINED_MAX = 14;

/**
 * The ops that make a stack's mount without attaching it anywhere; its descriptor is in the slot `out` then.
 * Up to fourteen lowers are possible with every kernel that has the new mount API (5.2), more need
 * `lowerdir+` (6.7).
 *
 * @throws OverlayError as {@link overlayMount}
 */
export function overlayDetached(stack: Omit<OverlayStack, 'merged'>, out: number, slots: SlotAllocator): Program {
  check({ ...stack, merged: '/' });
  const { fuse } = stack;
  if (fuse !== undefined) return fuseOverlayDetached({ ...stack, fuse }, out, slots);
  return newMount(stack, out, slots, stack.lowerdirs.length <= JOINED_MAX);
}

function newMount(stack: Omit<OverlayStack, 'merged'>, out: number, slots: SlotAllocator, joined: boolean): Program {
  const ops: Op[] = [];
  let named = 0;
  let first: number | undefined;
  const nameOf = (path: string, plain = true): string => {
    // In one lower's value a colon parts two, and older kernels take no comma.
    const expected = stack.expected?.[path];
    if (plain && !expected && Buffer.byteLength(path) <= FSCONFIG_STRING_MAX && !/[\\,:]/.test(path)) return path;
    first ??= firstNamed(slots);
    const number = first + named++;
    ops.push(...openAs(number, path, expected, slots));
    return `/proc/self/fd/${number}`;
  };
  const context = slots();
  const set = (key: string, value: string | null): Op => setting(context, key, value);
  const settings: Op[] = [set('source', 'overlay')];
  const only = stack.lowerdirs.length === 1;
  if (joined) settings.push(set('lowerdir', stack.lowerdirs.map((lower) => nameOf(lower, only)).join(':')));
  else for (const lower of stack.lowerdirs) settings.push(set('lowerdir+', nameOf(lower)));
  if (stack.upperdir !== undefined) settings.push(set('upperdir', nameOf(stack.upperdir)));
  if (stack.workdir !== undefined) settings.push(set('workdir', nameOf(stack.workdir)));
  for (const [name, value] of optionList(stack.options)) settings.push(set(name, value ?? null));
  if (stack.upperdir === undefined) settings.push(set('ro', null));
  ops.push(
    { op: 'fsopen', fsname: 'overlay', flags: FSOPEN_CLOEXEC, out: context },
    ...settings,
    { op: 'fsconfig', fd: context, cmd: FSCONFIG.CMD_CREATE, key: null, value: null, aux: -1 },
    { op: 'fsmount', fd: context, flags: FSMOUNT_CLOEXEC, mount_attrs: attributesOf(stack.flags), out },
    { op: 'close', fd: context },
    ...closeNamed(first, named),
  );
  return ops;
}

function withNewApi(stack: OverlayStack, slots: SlotAllocator): Program {
  const mount = slots();
  return [...newMount(stack, mount, slots, false), ...attached(mount, stack.merged)];
}

function attached(mount: number, merged: string): Program {
  return [
    { op: 'move_mount', from_dirfd: mount, from_pathname: '', to_dirfd: AT_FDCWD, to_pathname: merged, flags: MOVE_MOUNT.F_EMPTY_PATH },
    { op: 'close', fd: mount },
  ];
}

function withDescriptors(stack: OverlayStack, slots: SlotAllocator): Program {
  const ops: Op[] = [];
  let named = 0;
  let first: number | undefined;
  const nameOf = (path: string): string => {
    first ??= firstNamed(slots);
    const number = first + named++;
    ops.push(...openAs(number, path, stack.expected?.[path], slots));
    return String(number);
  };
  const short: OverlayStack = {
    ...stack,
    lowerdirs: stack.lowerdirs.map(nameOf),
    ...(stack.upperdir === undefined ? {} : { upperdir: nameOf(stack.upperdir) }),
    ...(stack.workdir === undefined ? {} : { workdir: nameOf(stack.workdir) }),
  };
  return [...ops, { op: 'chdir', path: '/proc/self/fd' }, mountOp(short, optionString(short)), { op: 'chdir', path: '/' }, ...closeNamed(first, named)];
}
