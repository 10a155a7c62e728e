import {
  AT,
  AT_FDCWD,
  FSCONFIG,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR,
  MOVE_MOUNT,
  mountSetattr,
  OPEN_TREE,
  type Op,
  openInRoot,
  type SlotAllocator,
} from '@lamella/syscall';
import { OciError } from '../errors/oci-error.js';
import { purposeOf, withPurpose } from '../errors/op-purposes.js';

const QUIET = MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOEXEC;
const ONTO = MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH;

/** Returns the op that opens a path of the container if it exists, never through a magic link. */
function look(pathname: string, root: number, out: number): Op {
  return { ...openInRoot(root, pathname, out), ignore: ['ENOENT', 'ENOTDIR'] };
}

/**
 * Returns the ops that hide paths (config-linux.md, "Masked Paths"): a directory behind an empty read-only one, anything else
 * behind /dev/null. Both are tried: the kernel refuses a mount that does not fit the type of the path.
 */
export function maskedPaths(paths: readonly string[], root: number, slots: SlotAllocator): Op[] {
  const [context, target, tree] = [slots(), slots(), slots()];
  // Each path once: checkMasked looks for two refusals in a row for one path.
  return [...new Set(paths)].flatMap((pathname) =>
    withPurpose(`linux.maskedPaths ${pathname}`, [
      look(pathname, root, target),
      { op: 'fsopen', fsname: 'tmpfs', flags: FSOPEN_CLOEXEC, out: context },
      { op: 'fsconfig', fd: context, cmd: FSCONFIG.SET_STRING, key: 'nr_inodes', value: '1', aux: -1 },
      { op: 'fsconfig', fd: context, cmd: FSCONFIG.CMD_CREATE, key: null, value: null, aux: -1 },
      { op: 'fsmount', fd: context, flags: FSMOUNT_CLOEXEC, mount_attrs: QUIET | MOUNT_ATTR.RDONLY, out: tree },
      { op: 'close', fd: context },
      ...cover(tree, target),
      // Older kernels cannot clone a mount that is in no namespace, so each clone is taken from the host's /dev/null.
      { op: 'open_tree', dirfd: AT_FDCWD, pathname: '/dev/null', flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC, out: tree },
      ...cover(tree, target),
      { op: 'close', fd: target, ignore: ['EBADF'] },
      { op: 'covered', rootfd: root, readonly: 0, pathname },
    ]),
  );
}

/** Checks that each path was hidden: onto one of the two kinds of mount must fit. @throws OciError `MASK_FAILED` */
export function checkMasked(ignored: ReadonlyMap<Op, string>): void {
  const refused = [...ignored].filter(([op, code]) => op.op === 'move_mount' && code === 'EINVAL').map(([op]) => purposeOf(op) ?? '');
  for (const [i, purpose] of refused.entries())
    if (purpose.startsWith('linux.maskedPaths') && refused[i + 1] === purpose)
      throw new OciError({
        code: 'MASK_FAILED',
        message: `${purpose}: cannot mount a file or a directory over it`,
        hint: 'Remove the path from linux.maskedPaths.',
      });
}

function cover(tree: number, target: number): Op[] {
  return [
    { op: 'move_mount', from_dirfd: tree, from_pathname: '', to_dirfd: target, to_pathname: '', flags: ONTO, ignore: ['EINVAL', 'EBADF'] },
    { op: 'close', fd: tree },
  ];
}

/** Returns the ops that make paths, and the mounts below them, read-only (config-linux.md, "Readonly Paths"). */
export function readonlyPaths(paths: readonly string[], root: number, slots: SlotAllocator): Op[] {
  const [target, tree] = [slots(), slots()];
  const ignore = ['EBADF'];
  return paths.flatMap((pathname) =>
    withPurpose(`linux.readonlyPaths ${pathname}`, [
      look(pathname, root, target),
      { op: 'open_tree', dirfd: target, pathname: '', flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | AT.EMPTY_PATH | AT.RECURSIVE, out: tree, ignore },
      { ...mountSetattr(tree, { set: MOUNT_ATTR.RDONLY, recursive: true }), ignore },
      { op: 'move_mount', from_dirfd: tree, from_pathname: '', to_dirfd: target, to_pathname: '', flags: ONTO, ignore },
      { op: 'close', fd: tree, ignore },
      { op: 'close', fd: target, ignore },
      { op: 'covered', rootfd: root, readonly: 1, pathname },
    ]),
  );
}
