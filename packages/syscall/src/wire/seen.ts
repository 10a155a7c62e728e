import type { Walked } from './walked.js';

/** A point in time of an inode, in seconds and nanoseconds. */
export type Time = readonly [seconds: number, nanoseconds: number];

/** A snapshot of an object: enough to recognize it and to detect changes. */
export interface Seen {
  /** Inode number in decimal digits, which may exceed a safe integer. The device is left out, because its number changes at reboot. */
  readonly ino: string;
  /** Type and permissions (inode(7)). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Time of birth; `[0, 0]` if the filesystem does not record it. */
  readonly btime: Time;
  readonly mtime: Time;
  readonly ctime: Time;
}

/** Bits of `expect.what` and `rename_seen.what`: what must be the same beside the identity (inode, type and time of birth). */
export const SAME = {
  IDENTITY: 0,
  /** Size and time of modification. Only the time counts for a directory; it changes with the names in it. */
  CONTENT: 1,
  /** Permissions and owner. */
  METADATA: 2,
  /** Time of change, which no call can set. Links and renames change it too. */
  CTIME: 4,
} as const;

/** Returns the snapshot of a walked object. */
export function seenOf(object: Walked): Seen {
  return {
    ino: object.inode.slice(object.inode.lastIndexOf(':') + 1),
    mode: object.mode,
    uid: object.uid,
    gid: object.gid,
    size: object.size,
    btime: [object.btimeSeconds, object.btimeNanoseconds],
    mtime: [object.mtimeSeconds, object.mtimeNanoseconds],
    ctime: [object.ctimeSeconds, object.ctimeNanoseconds],
  };
}

/** Returns the bytes that `expect` and `rename_seen` compare with: `struct seen` of native/ops/expect.c. */
export function packSeen(seen: Seen): Buffer {
  const packed = Buffer.alloc(88);
  packed.writeBigUInt64LE(BigInt(seen.ino), 0);
  const numbers = [seen.mode, seen.uid, seen.gid, seen.size, ...seen.btime, ...seen.mtime, ...seen.ctime];
  for (const [i, value] of numbers.entries()) packed.writeBigInt64LE(BigInt(value), 8 + i * 8);
  return packed;
}
