import { realpath, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { findProgram, MOVE_MOUNT, readMounts, type ServeOp, SyscallError, servingProgram, unfitForUpper } from '@lamella/syscall';
import type { OverlayErrorCode } from './error-codes.js';
import { FUSE_DEVICE } from './fuse-overlay.js';
import { OverlayError } from './overlay-error.js';
import type { OverlayStack } from './stack.js';

/** statfs(2) magic numbers. */
const OVERLAYFS = 0x794c7630;
/** Filesystems that are an upper in some of their ways of being mounted only. */
const SOMETIMES: Readonly<Record<number, string>> = { 0x01021997: '9p', 0x00c0ffee: 'hostfs' };

/**
 * Finds why the kernel refused a stack, by looking at what it was given: the kernel itself only
 * says EINVAL. Errors that are not about the mount come back as they are.
 *
 * @param removed absolute path of a directory that was removed after the failure; what the stack has below it is not looked for
 */
export async function diagnose(error: unknown, stack: OverlayStack, removed?: string): Promise<unknown> {
  if (error instanceof SyscallError && error.server) return explainServer(error, error.server, stack);
  if (!(error instanceof SyscallError) || !isOfMount(error, stack)) return error;
  const cause = error;
  const make = (code: OverlayErrorCode, message: string, hint: string): OverlayError => new OverlayError({ code, message, hint, cause });

  if (cause.op.op === 'openat' && cause.op.pathname === FUSE_DEVICE)
    return make(
      'OVERLAY_FUSE_UNAVAILABLE',
      `fuse-overlayfs has to join the layers here, and ${FUSE_DEVICE} cannot be opened: ${cause.code}`,
      'Choose a --root on ext4, xfs, btrfs or tmpfs; or give this user the device: modprobe fuse, chmod 666 /dev/fuse, or --device /dev/fuse of the container around.',
    );

  const isRemoved = (directory: string): boolean => directory === removed || (removed !== undefined && directory.startsWith(`${removed}/`));
  const wanted: [string, string][] = [
    ...stack.lowerdirs.map((lower): [string, string] => ['lower', lower]),
    ...(stack.upperdir === undefined ? [] : [['upper', stack.upperdir] as [string, string]]),
    ...(stack.workdir === undefined ? [] : [['work', stack.workdir] as [string, string]]),
    ['merged', stack.merged],
  ];
  for (const [role, place] of wanted) {
    if (isRemoved(place)) continue;
    const found = await stat(place).catch((problem: NodeJS.ErrnoException) => problem);
    if (found instanceof Error)
      return make(
        'OVERLAY_DIRECTORY_MISSING',
        `the ${role} directory ${place} cannot be used: ${found.code}`,
        found.code === 'ENOENT' ? 'Create it first.' : 'Check the permissions of its parents.',
      );
    if (!found.isDirectory()) return make('OVERLAY_NOT_A_DIRECTORY', `the ${role} ${place} is not a directory`, 'Overlayfs joins directories only.');
  }
  if (cause.code === 'ENODEV') return make('OVERLAY_MISSING', 'this kernel has no overlayfs', 'Load it: modprobe overlay.');
  if (stack.upperdir !== undefined && stack.workdir !== undefined) {
    const problem = isRemoved(stack.upperdir)
      ? await unfitUpper(stack.upperdir, path.dirname(removed ?? '/'), stack, make)
      : await diagnoseUpper(stack.upperdir, stack.workdir, stack, make);
    if (problem) return problem;
  }
  for (const lower of stack.lowerdirs) {
    if (isRemoved(lower)) continue;
    if ((await statfs(lower)).type === OVERLAYFS && ['EINVAL', 'ELOOP'].includes(cause.code))
      return make(
        'OVERLAY_TOO_DEEP',
        `the lower directory ${lower} is on an overlay itself, and overlayfs stacks no deeper than two`,
        'Put the layers on a plain filesystem (a volume or tmpfs, inside a container).',
      );
    const below = await mountsBelow(lower);
    if (below && cause.code === 'EINVAL')
      return make(
        'OVERLAY_LOCKED_MOUNTS',
        `the lower directory ${lower} has other mounts below it (${below})`,
        'In a user namespace such a directory cannot be a lower: use one without mounts below, or one overlay per mount.',
      );
  }
  if (cause.code === 'EPERM')
    return make(
      'OVERLAY_NOT_PERMITTED',
      'mounting an overlay is not permitted here',
      stack.options?.userxattr
        ? 'Unprivileged overlay mounts need Linux 5.11 or later and a user namespace.'
        : 'Run as root, or in a user namespace with the userxattr option.',
    );
  if (cause.code === 'ESTALE')
    return make(
      'OVERLAY_STALE',
      `the upper directory ${stack.upperdir} was used with other lower directories before`,
      'With index=on an upper belongs to its lowers: use a fresh one.',
    );
  if (cause.code === 'ELOOP') return make('OVERLAY_OVERLAP', 'two of the directories are inside each other', 'Upper, work and lowers must be apart.');
  return make(
    'OVERLAY_REFUSED',
    `the kernel refused to mount the overlay at ${stack.merged}: ${cause.code}`,
    'Options that this kernel lacks are listed by `lamella doctor`.',
  );
}

/** Whether a call is one that mounts the stack. Other mounts of a container are made by the same calls. */
function isOfMount({ op }: SyscallError, { lowerdirs, upperdir, workdir, merged }: OverlayStack): boolean {
  switch (op.op) {
    case 'mount':
      return op.filesystemtype === 'overlay';
    case 'fsopen':
      return op.fsname === 'overlay';
    case 'fsconfig':
    case 'fsmount':
      return true;
    case 'openat':
      return [FUSE_DEVICE, ...lowerdirs, upperdir, workdir, merged].includes(String(op.pathname));
    case 'move_mount':
      // What is attached to a descriptor is mounted already: the place is what was wrong.
      return !(op.flags & MOVE_MOUNT.T_EMPTY_PATH) && op.to_pathname === merged;
    default:
      return false;
  }
}

/** What became of fuse-overlayfs(1); the error as it is when something else served. */
function explainServer(cause: SyscallError, server: ServeOp, { merged }: OverlayStack): Error {
  const program = servingProgram(server);
  if (!program.endsWith('/fuse-overlayfs')) return cause;
  const make = (message: string, hint: string): OverlayError => new OverlayError({ code: 'OVERLAY_FUSE_ENDED', message, hint, cause });
  if (cause.op === server)
    return make(
      `fuse-overlayfs, which joins the layers at ${merged}, ended by itself`,
      'It was killed, or it failed: try a newer one, or a --root on ext4, xfs, btrfs or tmpfs.',
    );
  return make(
    `${program}, which is to join the layers, cannot be executed: ${cause.syscall === 'execve' ? cause.code : cause.message}`,
    'Install it anew, or choose a --root on ext4, xfs, btrfs or tmpfs.',
  );
}

/** Returns the error for an upper that the kernel does not support, where fuse-overlayfs is missing as well. */
export function unsupportedUpper(
  upper: string,
  filesystem: string,
  make = (code: OverlayErrorCode, message: string, hint: string): OverlayError => new OverlayError({ code, message, hint }),
): OverlayError {
  return make(
    'OVERLAY_UPPER_UNSUPPORTED',
    `overlay on ${filesystem} cannot hold the upper directory ${upper}`,
    `Choose another --root: ext4, xfs, btrfs or tmpfs will do${findProgram('fuse-overlayfs') ? '' : '; or install fuse-overlayfs, which needs none of these'}.`,
  );
}

/**
 * Writable directories that are inside of a layer, or in each other. The kernel takes some of these
 * stacks, and what such a mount shows is undefined.
 *
 * @returns the problem; undefined when there is none, or a directory is missing
 */
export async function findOverlap({ lowerdirs, upperdir, workdir }: OverlayStack): Promise<OverlayError | undefined> {
  if (upperdir === undefined || workdir === undefined) return undefined;
  const [upper, work] = [await locate(upperdir), await locate(workdir)];
  if (!upper || !work) return undefined;
  const overlap = (message: string, hint: string): OverlayError => new OverlayError({ code: 'OVERLAY_OVERLAP', message, hint });
  if (within(upper, work) || within(work, upper))
    return overlap(`the upper ${upperdir} and work directory ${workdir} overlap`, 'Make them two directories side by side.');
  for (const lowerdir of lowerdirs) {
    const lower = await locate(lowerdir);
    if (lower && (within(lower, upper) || within(upper, lower) || within(lower, work)))
      return overlap(`the upper ${upperdir} or work directory and the lower ${lowerdir} overlap`, 'Keep the writable directories outside of the layers.');
  }
  return undefined;
}

interface Place {
  readonly path: string;
  readonly device: number;
}

async function locate(directory: string): Promise<Place | undefined> {
  try {
    return { path: await realpath(directory), device: (await stat(directory)).dev };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Whether a directory is another, or below it and not behind another mount. */
function within(outer: Place, inner: Place): boolean {
  return outer.device === inner.device && (outer.path === inner.path || inner.path.startsWith(outer.path === '/' ? '/' : `${outer.path}/`));
}

async function diagnoseUpper(
  upper: string,
  work: string,
  stack: OverlayStack,
  make: (code: OverlayErrorCode, message: string, hint: string) => OverlayError,
): Promise<OverlayError | undefined> {
  const overlap = await findOverlap(stack);
  if (overlap) return make(overlap.code, overlap.message, overlap.hint ?? '');
  if ((await stat(upper)).dev !== (await stat(work)).dev)
    return make(
      'OVERLAY_WORK_ELSEWHERE',
      `the upper ${upper} and the work directory ${work} are on different filesystems`,
      'Put the work directory beside the upper.',
    );
  return unfitUpper(upper, upper, stack, make);
}

/** @param on a directory on the filesystem of the upper */
async function unfitUpper(
  upper: string,
  on: string,
  { fuse }: OverlayStack,
  make: (code: OverlayErrorCode, message: string, hint: string) => OverlayError,
): Promise<OverlayError | undefined> {
  const unfit = unfitForUpper(on) ?? SOMETIMES[(await statfs(on)).type];
  return unfit && fuse === undefined ? unsupportedUpper(upper, unfit, make) : undefined;
}

async function mountsBelow(directory: string): Promise<string | undefined> {
  const prefix = `${await realpath(directory)}/`.replace('//', '/');
  return readMounts().find(({ point }) => point.startsWith(prefix) && point !== prefix)?.point;
}
