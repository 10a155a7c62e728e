import type { BigIntStats } from 'node:fs';

/** The kinds of conditions, as the launcher knows them (native/launch/conditions.c). */
export const CONDITION = {
  /** The object at a path, which is not followed if it is a link, is the same and has not changed. */
  SAME: 1,
  /** A path cannot be looked up, for this reason (errno(3)). */
  ABSENT: 2,
  /** There is something at a path, followed. */
  EXISTS: 3,
  /** A file of procfs or sysfs has this length and this hash of its content. */
  CONTENT: 4,
  /** The type of the filesystem at a path (statfs(2), f_type). */
  FSTYPE: 5,
  /** A variable of the environment has this value. */
  VARIABLE: 6,
  /** A variable of the environment is not set. */
  NO_VARIABLE: 7,
  /** The environment as a whole has this hash. */
  ENVIRONMENT: 8,
  /** The working directory. */
  DIRECTORY: 9,
  /** The user, the groups, the umask, and which of stdin, stdout and stderr are terminals. */
  CALLER: 10,
  /** A store in which nothing has to be mended or swept first. */
  READY: 11,
  /** The object at a path, followed, is the same and has not changed. */
  FOLLOWED: 12,
  /** The effective capabilities. */
  CAPABILITIES: 13,
  /** The monitor of the container in a directory holds its lock, and has the same init. Nothing in the store waits to be mended. */
  RUNNING: 14,
  /** The directory at a path, followed, is the same, with the same owner and mode. What it contains may have changed. */
  PLACE: 15,
} as const;

/** Something that was true when a plan was made, and on which the plan depends. */
export interface Condition {
  readonly kind: (typeof CONDITION)[keyof typeof CONDITION];
  /** A path, or the name of a variable; empty for the caller. */
  readonly name: string;
  readonly numbers: readonly bigint[];
  readonly text: string;
}

/** Returns the numbers that tell whether an object is the same and has not changed. Every change of an inode changes its ctime. */
export function identityOf({ dev, ino, mode, size, mtimeNs, ctimeNs }: BigIntStats): readonly bigint[] {
  return [dev, ino, mode, size, mtimeNs, ctimeNs];
}

/** Returns the numbers that tell whether a directory is the same. An inode number may be used again, but not with the same time of birth. */
export function placeOf({ dev, ino, mode, uid, gid, birthtimeNs }: BigIntStats): readonly bigint[] {
  return [dev, ino, mode, uid, gid, birthtimeNs];
}

/** Two hashes of 32 bits in the manner of FNV-1a, which the launcher computes as well. They detect changes, not tampering. */
export function hashOf(bytes: Uint8Array): bigint {
  let [low, high] = [0x811c9dc5, 0x165667b1];
  for (const byte of bytes) {
    low = Math.imul(low ^ byte, 0x01000193);
    high = Math.imul(high ^ byte, 0x9e3779b1);
  }
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
