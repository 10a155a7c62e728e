import { findFuseOverlay, type OverlayStack } from '@lamella/overlay';
import { MS } from '@lamella/syscall';
import type { RunSpec } from '../model/run-spec.js';
import type { CheckedMount } from '../model/writable-mount.js';

/** How a view of a container is mounted. @param root absolute path of the store */
export function overlayOf(
  { frozen, lowerdirs, upperdir, workdir, destination, files, expected }: CheckedMount,
  { keep, workspace }: Pick<RunSpec, 'keep' | 'workspace'>,
  root: string,
): Omit<OverlayStack, 'merged'> {
  const fuse = files ? findFuseOverlay(destination === '/' ? (workspace ?? root) : root) : undefined;
  return {
    lowerdirs: [...frozen, ...lowerdirs],
    expected,
    upperdir,
    workdir,
    // Without it a directory that is renamed would leave a name of its old place in the upper, and not what is in it, where that is the kernel's default.
    // An upper that is thrown away need not reach the disk.
    options: { ...(process.geteuid?.() === 0 ? { redirect_dir: 'nofollow' } : { userxattr: true }), ...(keep ? {} : { volatile: true }) },
    ...(fuse === undefined ? {} : { fuse }),
    flags: MS.NODEV | (destination === '/' ? 0 : MS.NOSUID),
  };
}
