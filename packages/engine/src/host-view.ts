import { accessSync, constants, lstatSync, readdirSync, readlinkSync, realpathSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';
import { type MountPoint, readMounts } from '@lamella/syscall';
import { absent } from './absent.js';
import { EngineError } from './engine-error.js';

/**
 * The host's own filesystem as a container's: what it has of real filesystems is seen through overlays, the rest
 * as it is, read-only. All paths are absolute.
 */
export interface HostView {
  /**
   * Of an ordinary user: what the root is made of, for in a user namespace no directory with other mounts
   * below it can be the lower of an overlay. Nothing for root, whose `/` is one itself.
   */
  readonly scaffold?: readonly ScaffoldEntry[];
  /** Directories with an overlay each, parents first; `/` of root is not among them. */
  readonly overlays: readonly string[];
  /** What is shown as it is. */
  readonly binds: readonly { readonly path: string; readonly directory: boolean }[];
  /** What is not shown at all: an empty directory or file is there instead. */
  readonly hidden: readonly { readonly path: string; readonly directory: boolean }[];
}

/** A name in the scaffold, parents first. */
export type ScaffoldEntry = { readonly path: string } & (
  | { readonly type: 'directory' }
  | { readonly type: 'file' }
  | { readonly type: 'symlink'; readonly target: string }
);

/** Filesystems whose directories overlayfs takes as lowers. */
const REAL: ReadonlySet<string> = new Set([
  'ext2',
  'ext3',
  'ext4',
  'xfs',
  'btrfs',
  'tmpfs',
  'f2fs',
  'zfs',
  'bcachefs',
  'overlay',
  'erofs',
  'squashfs',
  'jfs',
  'reiserfs',
  'hostfs',
  'rootfs',
  'ramfs',
]);
/** A container gets its own of these. */
const OWN = ['/proc', '/sys', '/dev'];

/**
 * Look at what this process sees, and decide how a container is to see it.
 *
 * @param hide absolute paths
 * @throws EngineError `HIDE_INVALID`
 */
export function surveyHost(hide: readonly string[]): HostView {
  const mounts = visibleMounts().filter(({ point }) => !OWN.some((own) => isWithin(point, own)));
  const hidden = hide.map(hiddenPath);
  return process.geteuid?.() === 0 ? { ...asRoot(mounts), hidden } : { ...asUser(mounts), hidden };
}

/** Mounts that nothing covers, parents first. */
function visibleMounts(): MountPoint[] {
  // A later mount hides all that is at its place and below.
  return readMounts()
    .filter(({ point }, i, all) => !all.slice(i + 1).some((later) => isWithin(point, later.point)))
    .sort((a, b) => (a.point < b.point ? -1 : 1));
}

/** Whether what is mounted can be written to. */
function isWritableMount({ options, superOptions }: MountPoint): boolean {
  return !options.includes('ro') && !superOptions.split(',').includes('ro');
}

/** Where the filesystem that a real path is on is mounted. */
export function mountPointOf(real: string): string {
  return visibleMounts().findLast(({ point }) => isWithin(real, point))?.point ?? '/';
}

function asRoot(mounts: readonly MountPoint[]): Omit<HostView, 'hidden'> {
  const overlays: string[] = [];
  const binds: { path: string; directory: boolean }[] = [];
  for (const mount of mounts) {
    const { point, type } = mount;
    if (point === '/') continue;
    const found = look(point);
    if (!found) continue;
    if (found.isDirectory() && REAL.has(type) && isWritableMount(mount)) overlays.push(point);
    else binds.push({ path: point, directory: found.isDirectory() });
  }
  return { overlays, binds };
}

/**
 * What has no other mount below it gets an overlay; a directory that has is put together from what is in it. In such
 * a directory itself nothing can be made, renamed or removed.
 */
function asUser(mounts: readonly MountPoint[]): Omit<HostView, 'hidden'> & { readonly scaffold: readonly ScaffoldEntry[] } {
  const scaffold: ScaffoldEntry[] = [];
  const overlays: string[] = [];
  const binds: { path: string; directory: boolean }[] = [];
  const points = new Map(mounts.map((mount) => [mount.point, mount]));
  const below = new Set([...mounts.map(({ point }) => point), ...OWN].flatMap((point) => ancestors(point)));
  const show = (at: string, mount: MountPoint): void => {
    const own = points.get(at) ?? mount;
    const found = look(at);
    if (!found || OWN.includes(at)) return;
    if (found.isSymbolicLink()) scaffold.push({ path: at, type: 'symlink', target: readlinkSync(at) });
    else if (!found.isDirectory()) {
      scaffold.push({ path: at, type: 'file' });
      binds.push({ path: at, directory: false });
    } else {
      if (at !== '/') scaffold.push({ path: at, type: 'directory' });
      const names = below.has(at) ? list(at) : undefined;
      if (names) for (const name of names) show(path.join(at, name), own);
      else if (!below.has(at) && REAL.has(own.type) && isWritableMount(own)) overlays.push(at);
      else binds.push({ path: at, directory: true });
    }
  };
  const [root] = mounts;
  if (root) show('/', root);
  for (const own of OWN) scaffold.push({ path: own, type: 'directory' });
  for (const foothold of footholds())
    if (overlays.some((each) => each !== foothold && isWithin(foothold, each)) && !overlays.includes(foothold) && !below.has(foothold)) overlays.push(foothold);
  return { scaffold, overlays, binds };
}

/**
 * Directories that this user writes to, but not to the one they are in. Overlayfs copies the directories above a
 * changed file, and cannot give one to somebody who is not mapped: such a directory needs an overlay of its own.
 */
function footholds(): readonly string[] {
  const uid = process.geteuid?.();
  const mine = (start: string | undefined): string[] => {
    if (!start) return [];
    let real: string;
    try {
      real = realpathSync(start);
    } catch (error) {
      if (['ENOENT', 'EACCES', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
      throw error;
    }
    const owned = [real, ...ancestors(real)].filter((each) => look(each)?.uid === uid);
    return owned.slice(-1);
  };
  const shared = [process.env.TMPDIR, '/tmp', '/var/tmp', '/run/lock']
    .filter((each) => each !== undefined && isWritable(each))
    .map((each) => realpathSync(each as string));
  return [...new Set([...mine(process.cwd()), ...mine(process.env.HOME), ...mine(`/run/user/${uid}`), ...shared])];
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch (error) {
    if (['EACCES', 'EROFS', 'EPERM', 'ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

/** All directories above one. */
function ancestors(point: string): string[] {
  return point === '/' ? [] : [path.dirname(point), ...ancestors(path.dirname(point))];
}

function isWithin(point: string, directory: string): boolean {
  return point === directory || directory === '/' || point.startsWith(`${directory}/`);
}

function look(file: string): Stats | undefined {
  try {
    return lstatSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return undefined;
    return absent(error as NodeJS.ErrnoException);
  }
}

/** Undefined for a directory whose names this user may not see, or not follow. */
function list(directory: string): readonly string[] | undefined {
  try {
    accessSync(directory, constants.R_OK | constants.X_OK);
    return readdirSync(directory).toSorted();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return undefined;
    throw error;
  }
}

function hiddenPath(file: string): { readonly path: string; readonly directory: boolean } {
  try {
    const real = realpathSync(file);
    if (real === '/') throw new EngineError({ code: 'HIDE_INVALID', message: '/ cannot be hidden', hint: 'Name what is not to be read.' });
    return { path: real, directory: statSync(real).isDirectory() };
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError({
      code: 'HIDE_INVALID',
      message: `${file} cannot be hidden: ${(error as NodeJS.ErrnoException).code}`,
      hint: 'It must exist, for what is not there cannot be covered.',
      cause: error,
    });
  }
}

/** What this user may do in a directory of the host, as its owner's permission bits. */
export function effectiveMode(directory: string, mode: number): number {
  const may = [constants.R_OK, constants.W_OK, constants.X_OK].map((each) => {
    try {
      accessSync(directory, each);
      return each;
    } catch (error) {
      if (!['EACCES', 'EROFS', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      return 0;
    }
  });
  return (mode & 0o7077) | (may.reduce((all, each) => all | each, 0) << 6);
}
