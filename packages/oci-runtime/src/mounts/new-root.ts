import { AT_FDCWD, MNT, MS, O, type Op, readMounts } from '@lamella/syscall';
import { withPurpose } from '../errors/op-purposes.js';

/**
 * Returns the ops that keep the container's mounts off the host. If the root is shared on purpose, only the mount above it becomes
 * private, because pivot_root(2) refuses a shared parent.
 */
export function separateMounts(propagation: number, shared: boolean, rootfs: string): Op[] {
  const parent = readMounts()
    .map(({ point }) => point)
    .filter((point) => point === '/' || rootfs === point || rootfs.startsWith(`${point}/`))
    .reduce((longest, point) => (point.length > longest.length ? point : longest), '/');
  const mount = (target: string, mountflags: number): Op => ({ op: 'mount', source: null, target, filesystemtype: null, mountflags, data: null });
  return withPurpose(
    'linux.rootfsPropagation',
    shared ? [mount(parent, MS.PRIVATE)] : [mount('/', MS.REC | ((propagation & ~MS.REC) === MS.UNBINDABLE ? MS.SLAVE : propagation))],
  );
}

/** Returns the ops that make the directory in slot `root` the root and detach the old one. */
export function newRoot(
  root: number,
  old: number,
  { ownMounts, noPivot, rootfs }: { readonly ownMounts: boolean; readonly noPivot: boolean; readonly rootfs: string },
): Op[] {
  const enter: Op[] = [{ op: 'fchdir', fd: root }];
  const end: Op[] = [
    { op: 'chdir', path: '/' },
    { op: 'close', fd: root },
  ];
  if (!ownMounts) return withPurpose('the new root', [...enter, { op: 'chroot', path: '.' }, ...end]);
  if (noPivot)
    return withPurpose('the new root (--no-pivot)', [
      // A visible proc or sysfs that stays behind would let the container mount another one without masked paths.
      ...readMounts()
        .filter(({ point, type }) => (type === 'proc' || type === 'sysfs') && !point.startsWith(`${rootfs}/`))
        .reverse()
        .flatMap(({ point }): Op[] => [
          { op: 'mount', source: null, target: point, filesystemtype: null, mountflags: MS.REC | MS.SLAVE, data: null, ignore: ['EINVAL', 'ENOENT'] },
          { op: 'umount2', target: point, flags: MNT.DETACH, ignore: ['EINVAL', 'ENOENT'] },
        ]),
      ...enter,
      { op: 'mount', source: '.', target: '/', filesystemtype: null, mountflags: MS.MOVE, data: null },
      { op: 'chroot', path: '.' },
      ...end,
    ]);
  return withPurpose('the new root', [
    { op: 'openat', dirfd: AT_FDCWD, pathname: '/', flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: old },
    ...enter,
    { op: 'pivot_root', new_root: '.', put_old: '.' },
    // As a slave: unmounting the old root must not propagate to the host.
    { op: 'fchdir', fd: old },
    { op: 'close', fd: old },
    { op: 'mount', source: null, target: '.', filesystemtype: null, mountflags: MS.REC | MS.SLAVE, data: null },
    { op: 'umount2', target: '.', flags: MNT.DETACH },
    ...end,
  ]);
}
