import type { Walked } from './walked.js';

/** A point in time of an inode, in seconds and nanoseconds. */
export type Time = readonly [seconds: number, nanoseconds: number];

/** What an object was when it was looked at: enough to know it again, and to know that nothing of it was changed. */
export interface Seen {
  /** Inode number in decimal digits; it can be larger than a safe integer. The device is left out: its number changes with a reboot. */
  readonly ino: string;
  /** Type and permissions (inode(7)). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** When it was made; `[0, 0]` where the filesystem does not keep that. */
  readonly btime: Time;
  readonly mtime: Time;
  readonly ctime: Time;
}

/** `expect.what` and `rename_seen.what`: what has to be the same, beside the identity (inode, type and time of birth). Bits. */
export const SAME = {
  IDENTITY: 0,
  /** Size and time of modification; of a directory only the time, which changes with the names in it. */
  CONTENT: 1,
  /** Permissions and owner. */
  METADATA: 2,
  /** The time of change: nobody can set it, but links and renames change it, too. */
  CTIME: 4,
} as const;

/** Returns what is known of an object that was walked. */
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
