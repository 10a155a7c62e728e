import { FSCONFIG, MOUNT_ATTR, MS, type Op } from '@lamella/syscall';

/** What fsmount(2) calls the flags of mount(2). */
export function attributesOf(flags = 0): number {
  return (
    (flags & MS.NODEV ? MOUNT_ATTR.NODEV : 0) |
    (flags & MS.NOSUID ? MOUNT_ATTR.NOSUID : 0) |
    (flags & MS.NOEXEC ? MOUNT_ATTR.NOEXEC : 0) |
    (flags & MS.RDONLY ? MOUNT_ATTR.RDONLY : 0)
  );
}

/** The op that sets an option of a filesystem that is to be mounted (fsconfig(2)); one without a value is a flag. @param context its slot */
export function setting(context: number, key: string, value: string | null): Op {
  return { op: 'fsconfig', fd: context, cmd: value === null ? FSCONFIG.SET_FLAG : FSCONFIG.SET_STRING, key, value, aux: -1 };
}
