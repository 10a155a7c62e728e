import { AT, AT_FDCWD, MARKS, O, OPEN_TREE, openObject, type Program, type SlotAllocator, slotAllocator, unfitForUpper } from '@lamella/syscall';
import { hasLowerdirPlus } from './features.js';
import { findFuseOverlay, fuseOverlayAtExit } from './fuse-overlay.js';
import { methodFor, overlayDetached, overlayMount } from './overlay-mount.js';
import type { ExpectedDirectories } from './stack.js';

/** An upper directory, and what it lies on. All paths are absolute. */
export interface Upper {
  readonly upperdir: string;
  /** Uppers of before that lie below it, the topmost first: what they did counts, too. */
  readonly frozen?: readonly string[];
  /** What is below all that, the topmost first. */
  readonly lowerdirs: readonly string[];
  /** What it is compared with. Default: what is below. */
  readonly compared?: readonly string[];
  /** Of the lowers. */
  readonly expected?: ExpectedDirectories;
  /** Its marks are files: fuse-overlayfs(1) wrote it. Default: where the kernel can have no upper. */
  readonly files?: boolean;
  /** Its marks are in `user.overlay.*`. Default: as an ordinary user's are. */
  readonly userxattr?: boolean;
}

/** Ops that open both sides of a comparison, in the mount namespace that runs them, and their slots. */
export interface Sides {
  readonly program: Program;
  /** Slots of what is there now, and of what was. */
  readonly upper: number;
  readonly lower: number;
  /** See {@link MARKS}. */
  readonly marks: number;
}

/**
 * Ops that look at what an upper did. They come after those of {@link ownMountNamespace} in @lamella/syscall:
 * they mount over directories that are parts of what they look at. One upper is seen as the kernel keeps it, marks and all; with others below
 * it, both sides are whole trees.
 */
export async function openSides(
  {
    upperdir,
    frozen = [],
    lowerdirs,
    compared = lowerdirs,
    expected,
    files = unfitForUpper(upperdir) !== undefined,
    userxattr = process.geteuid?.() !== 0,
  }: Upper,
  slots: SlotAllocator = slotAllocator(),
): Promise<Sides> {
  const [upper, lower] = [slots(), slots()];
  const open = (pathname: string, out: number): Program[number] => ({
    op: 'openat',
    dirfd: AT_FDCWD,
    pathname,
    flags: O.PATH | O.DIRECTORY | O.CLOEXEC,
    mode: 0,
    out,
  });
  // As an overlay sees it: without what is mounted below. Where the kernel refuses that (mounts that came later, in a user namespace) with it.
  const alone = (pathname: string, out: number): Program => {
    const slot = slots();
    const object = expected?.[pathname];
    return [
      ...(object ? openObject(pathname, object, slot) : [open(pathname, slot)]),
      {
        op: 'open_tree',
        dirfd: slot,
        pathname: '',
        flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | AT.EMPTY_PATH,
        out,
        ignore: ['EINVAL', 'EPERM'],
      },
      // The slot is taken where that was possible.
      { op: 'openat', dirfd: slot, pathname: '.', flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out, ignore: ['EBUSY'] },
      { op: 'close', fd: slot },
    ];
  };
  const fuse = files ? findFuseOverlay(upperdir) : undefined;
  const own = files ? MARKS.files : userxattr ? MARKS.user : MARKS.trusted;
  const checked = expected === undefined ? {} : { expected };
  // Nobody else sees the mount: it may cover a directory that is a part of it.
  const mounted = async (trees: readonly string[], merged: string, out: number): Promise<Program> => {
    const [first = '', ...others] = trees;
    if (!others.length) return alone(first, out);
    if (fuse !== undefined) return [fuseOverlayAtExit, ...overlayDetached({ lowerdirs: trees, fuse, ...checked }, out, slots)];
    const stack = { lowerdirs: trees, merged, ...checked, ...(userxattr ? { options: { userxattr } } : {}) };
    const method = methodFor(stack, { lowerdirPlus: methodFor(stack, { lowerdirPlus: false }) === 'mount' || (await hasLowerdirPlus()) });
    return [...overlayMount(stack, method, slots), open(merged, out)];
  };
  const [last] = frozen;
  return {
    program:
      last === undefined
        ? [open(upperdir, upper), ...(await mounted(compared, upperdir, lower))]
        : [...(await mounted([upperdir, ...frozen, ...lowerdirs], upperdir, upper)), ...(await mounted(lowerdirs, last, lower))],
    upper,
    lower,
    marks: last === undefined ? own : MARKS.none,
  };
}
