import { MOUNT_ATTR, MS } from '@lamella/syscall';

/** What fsmount(2) calls the flags of mount(2). */
export function attributesOf(flags = 0): number {
  return (
    (flags & MS.NODEV ? MOUNT_ATTR.NODEV : 0) |
    (flags & MS.NOSUID ? MOUNT_ATTR.NOSUID : 0) |
    (flags & MS.NOEXEC ? MOUNT_ATTR.NOEXEC : 0) |
    (flags & MS.RDONLY ? MOUNT_ATTR.RDONLY : 0)
  );
}
