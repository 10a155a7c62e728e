import { accessSync, constants, lstatSync, readlinkSync, type Stats } from 'node:fs';
import path from 'node:path';
import type { MountPoint } from '@lamella/syscall';
import { ignoreMissing } from '@lamella/syscall';

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
export const OWN: readonly string[] = ['/proc', '/sys', '/dev'];

/** Whether what is mounted can be seen through an overlay, and written to. */
export function isOverlaid({ type, options, superOptions }: MountPoint): boolean {
  return REAL.has(type) && !options.includes('ro') && !superOptions.split(',').includes('ro');
}

/** All directories above one. */
export function ancestors(point: string): string[] {
  return point === '/' ? [] : [path.dirname(point), ...ancestors(path.dirname(point))];
}

export function isWithin(point: string, directory: string): boolean {
  return point === directory || directory === '/' || point.startsWith(`${directory}/`);
}

/** What is there; undefined where this user may not look, and for what has just gone. */
export function look(file: string): Stats | undefined {
  try {
    return lstatSync(file);
  } catch (error) {
    return unreachable(error);
  }
}

/** The target of a link; undefined for one that has just gone. */
export function targetOfLink(file: string): string | undefined {
  try {
    return readlinkSync(file);
  } catch (error) {
    return unreachable(error);
  }
}

/** @throws the error, unless another process removed a name, or closed it to this user; a dead FUSE server closes names, too */
export function unreachable(error: unknown): undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (['EACCES', 'EPERM', 'ENOTDIR', 'EINVAL', 'ENOTCONN', 'EIO', 'ESTALE', 'ELOOP'].includes(code ?? '')) return undefined;
  return ignoreMissing(error as NodeJS.ErrnoException);
}

/** Whether this user may do all that with a file (access(2)). */
export function may(file: string, mode: number): boolean {
  try {
    accessSync(file, mode);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EROFS') return false;
    unreachable(error);
    return false;
  }
}

/** What this user may do in a directory of the host, as its owner's permission bits. */
export function effectiveMode(directory: string, mode: number): number {
  const bits = [constants.R_OK, constants.W_OK, constants.X_OK].reduce((all, each) => all | (may(directory, each) ? each : 0), 0);
  return (mode & 0o7077) | (bits << 6);
}
