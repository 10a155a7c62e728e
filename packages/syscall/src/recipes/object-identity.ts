import type { Op, Program } from '../ops/op.js';
import { openWithoutLinks } from './open-safely.js';

/** What tells one object of a filesystem from every other one, for as long as the filesystem is mounted. */
export interface ObjectIdentity {
  /** `S_IFMT` bits of its mode (inode(7)). */
  readonly type: number;
  /** Of its filesystem (statx(2)). */
  readonly major: number;
  readonly minor: number;
  /** Decimal, for inode numbers have 64 bits; 0 where the filesystem makes them up. */
  readonly inode: string;
  /** When it was made, which nobody can set; both 0 where the filesystem does not know. */
  readonly birthSeconds: number;
  readonly birthNanoseconds: number;
}

const LOW = 0xffff_ffffn;

/**
 * Returns ops that open an object (`O_PATH`) through no symbolic link, and fail with `ESTALE` if it is not the expected one. What is
 * done to the descriptor afterwards is done to that object, whatever becomes of its path.
 *
 * @param pathname absolute, without links
 * @param out slot of the descriptor
 * @see openat2(2), statx(2)
 */
export function openObject(pathname: string, expected: ObjectIdentity, out: number): Program {
  return [openWithoutLinks(pathname, out), sameObject(out, expected)];
}

/** Returns the op that fails with `ESTALE` if a descriptor is not one of the expected object. */
export function sameObject(fd: number, { type, major, minor, inode, birthSeconds, birthNanoseconds }: ObjectIdentity): Op {
  const number = BigInt(inode);
  return {
    op: 'same_object',
    fd,
    type,
    dev_major: major,
    dev_minor: minor,
    ino_high: Number(number >> 32n),
    ino_low: Number(number & LOW),
    btime_sec: birthSeconds,
    btime_nsec: birthNanoseconds,
  };
}
