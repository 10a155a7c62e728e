import { AT } from '../ops/constants.js';
import type { Op } from '../ops/op.js';

/** The changes of mount_setattr(2) to a mount. */
export interface MountChanges {
  /** `MOUNT_ATTR_*` bits to set, and to clear. */
  readonly set?: number;
  readonly clear?: number;
  /** `MS_SHARED`, `MS_SLAVE`, … Default: no change. */
  readonly propagation?: number;
  /** Slot of the user namespace of an idmapped mount, with `MOUNT_ATTR_IDMAP`. */
  readonly userns?: number;
  /** Whether all mounts below it change too. Default false. */
  readonly recursive?: boolean;
}

/**
 * Returns the op that changes the attributes of a mount.
 *
 * @param dirfd slot of a descriptor of the mount, or of the directory that `pathname` is relative to
 * @param pathname default: the mount of the descriptor itself
 * @see mount_setattr(2)
 */
export function mountSetattr(
  dirfd: number,
  { set = 0, clear = 0, propagation = 0, userns = -1, recursive = false }: MountChanges,
  pathname: string = '',
): Extract<Op, { readonly op: 'mount_setattr' }> {
  const flags = (pathname === '' ? AT.EMPTY_PATH : 0) | (recursive ? AT.RECURSIVE : 0);
  return { op: 'mount_setattr', dirfd, pathname, flags, attr_set: set, attr_clr: clear, propagation, userns_fd: userns };
}
