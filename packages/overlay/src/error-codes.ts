import type { OptionErrorCode } from '@lamella/syscall';

/** The codes of {@link OverlayError}, each with its meaning. The reference of errors is made from this table. */
export const OVERLAY_ERROR_CODES = {
  OVERLAY_NO_LOWER: 'The stack has no lower directory.',
  OVERLAY_TOO_MANY_LOWERS: 'The stack has more lower directories than overlayfs can join.',
  OVERLAY_NO_WORKDIR: 'The stack has one of upper and work directory, but not both.',
  OVERLAY_RELATIVE_PATH: 'A directory of the stack is not an absolute path.',
  OVERLAY_DIRECTORY_MISSING: 'A directory of the stack cannot be used; the message has the reason.',
  OVERLAY_NOT_A_DIRECTORY: 'A path of the stack is not a directory.',
  OVERLAY_OVERLAP: 'Two directories of the stack contain one another.',
  OVERLAY_WORK_ELSEWHERE: 'The upper and the work directory are on different filesystems.',
  OVERLAY_STALE: 'The upper directory was used with other lower directories before.',
  OVERLAY_UPPER_UNSUPPORTED: 'The filesystem does not support an upper directory.',
  OVERLAY_TOO_DEEP: 'A lower directory is on an overlay itself, and overlayfs stacks two at most.',
  OVERLAY_LOCKED_MOUNTS: 'A lower directory has other mounts below it.',
  OVERLAY_MISSING: 'The kernel has no overlayfs.',
  OVERLAY_NOT_PERMITTED: 'The kernel does not let this user mount overlayfs.',
  OVERLAY_REFUSED: 'The kernel refused the mount; the message has its reason.',
  OVERLAY_BUSY: 'The overlay cannot be unmounted, or another one uses its directories.',
  OVERLAY_FUSE_UNAVAILABLE: '`/dev/fuse` does not exist, or this user cannot open it.',
  OVERLAY_FUSE_ENDED: 'fuse-overlayfs ended while the container used it.',
} as const;

/** The code of an {@link OverlayError}. */
export type OverlayErrorCode = keyof typeof OVERLAY_ERROR_CODES | OptionErrorCode;
