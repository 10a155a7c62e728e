import type { Op, Program } from '../ops/op.js';
import { openWithoutLinks } from './open-safely.js';

/** The identity of a filesystem object, unique for as long as its filesystem is mounted. */
export interface ObjectIdentity {
  /** `S_IFMT` bits of its mode (inode(7)). */
  readonly type: number;
  /** Device of its filesystem (statx(2)). */
  readonly major: number;
  readonly minor: number;
  /** Inode number in decimal digits, because it has 64 bits. 0 if the filesystem makes numbers up. */
  readonly inode: string;
  /** Time of birth, which no call can set. Both are 0 if the filesystem does not record it. */
  readonly birthSeconds: number;
  readonly birthNanoseconds: number;
}

const LOW = 0xffff_ffffn;

/**
 * Returns the ops that open an object (`O_PATH`) without following links and fail with `ESTALE` if it is not the expected one. Later
 * ops on the descriptor act on that object, even if its path changes.
 *
 * @param pathname absolute, without links
 * @param out slot of the descriptor
 * @see openat2(2), statx(2)
 */
export function openObject(pathname: string, expected: ObjectIdentity, out: number): Program {
  return [openWithoutLinks(pathname, out), sameObject(out, expected)];
}

/** Returns the op that fails with `ESTALE` unless a descriptor refers to the expected object. */
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
