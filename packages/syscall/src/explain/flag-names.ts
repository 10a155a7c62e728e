import { AT, CLONE, MNT, MOUNT_ATTR, MOVE_MOUNT, MS, O, RESOLVE, S_IF } from '../ops/constants.js';
import { type FlagNames, flags, named, octal } from './notation.js';

export const MOUNT_FLAGS: FlagNames = named('MS_', MS);
export const UMOUNT_FLAGS: FlagNames = [
  [MNT.FORCE, 'MNT_FORCE'],
  [MNT.DETACH, 'MNT_DETACH'],
  [MNT.EXPIRE, 'MNT_EXPIRE'],
  [MNT.UMOUNT_NOFOLLOW, 'UMOUNT_NOFOLLOW'],
];
export const CLONE_FLAGS: FlagNames = [[0x1000, 'CLONE_PIDFD'], ...named('CLONE_', CLONE)];
export const AT_FLAGS: FlagNames = named('AT_', AT);
export const UNLINK_FLAGS: FlagNames = [[AT.REMOVEDIR, 'AT_REMOVEDIR']];
export const OPEN_TREE_FLAGS: FlagNames = [[1, 'OPEN_TREE_CLONE'], [O.CLOEXEC, 'OPEN_TREE_CLOEXEC'], ...named('AT_', AT)];
export const MOVE_MOUNT_FLAGS: FlagNames = named('MOVE_MOUNT_', MOVE_MOUNT);
export const MOUNT_ATTR_FLAGS: FlagNames = named('MOUNT_ATTR_', MOUNT_ATTR);
export const RESOLVE_FLAGS: FlagNames = named('RESOLVE_', RESOLVE);
export const LOCK_FLAGS: FlagNames = [
  [1, 'LOCK_SH'],
  [2, 'LOCK_EX'],
  [4, 'LOCK_NB'],
  [8, 'LOCK_UN'],
];
export const SOCKET_FLAGS: FlagNames = [
  [O.CLOEXEC, 'SOCK_CLOEXEC'],
  [O.NONBLOCK, 'SOCK_NONBLOCK'],
];
export const PROPAGATION_FLAGS: FlagNames = [
  [MS.UNBINDABLE, 'MS_UNBINDABLE'],
  [MS.PRIVATE, 'MS_PRIVATE'],
  [MS.SLAVE, 'MS_SLAVE'],
  [MS.SHARED, 'MS_SHARED'],
];

const OPEN_FLAGS: FlagNames = [
  [O.CREAT, 'O_CREAT'],
  [O.EXCL, 'O_EXCL'],
  [O.NOCTTY, 'O_NOCTTY'],
  [O.TRUNC, 'O_TRUNC'],
  [O.APPEND, 'O_APPEND'],
  [O.NONBLOCK, 'O_NONBLOCK'],
  [O.NOFOLLOW, 'O_NOFOLLOW'],
  [O.CLOEXEC, 'O_CLOEXEC'],
  [O.PATH, 'O_PATH'],
  [O.DIRECTORY, 'O_DIRECTORY'],
];

/** Flags of open(2): the access mode is a number of two bits, not a flag. */
export function openFlags(value: number): string {
  const access = ['O_RDONLY', 'O_WRONLY', 'O_RDWR', 'O_ACCMODE'][value & 3] as string;
  const rest = value - (value & 3);
  return rest ? `${access}|${flags(rest, OPEN_FLAGS)}` : access;
}

const TYPES: Readonly<Record<number, string>> = {
  [S_IF.IFSOCK]: 'S_IFSOCK',
  [S_IF.IFLNK]: 'S_IFLNK',
  [S_IF.IFREG]: 'S_IFREG',
  [S_IF.IFBLK]: 'S_IFBLK',
  [S_IF.IFDIR]: 'S_IFDIR',
  [S_IF.IFCHR]: 'S_IFCHR',
  [S_IF.IFIFO]: 'S_IFIFO',
};

/** A file's type and permissions: `S_IFCHR|0666`. */
export function fileMode(mode: number): string {
  const type = TYPES[mode & S_IF.IFMT];
  return type ? `${type}|${octal(mode & 0o7777)}` : octal(mode);
}
