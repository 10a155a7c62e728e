/** An object of a tree, as the `walk` op tells of it. Names are bytes, as latin1. */
export interface Walked {
  /** Its path below the top; empty for the top itself. */
  readonly name: string;
  /** Of a symbolic link. */
  readonly target: string;
  /** Type and permissions (inode(7)). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  /** The same for all names of one file: its filesystem and its inode. */
  readonly inode: string;
  readonly size: number;
  /** Of 512 bytes. */
  readonly blocks: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  /** Of a device. */
  readonly major: number;
  readonly minor: number;
  readonly xattrs: readonly (readonly [name: string, value: Buffer])[];
}

/** Take a `data` reply of a `walk` apart: thirteen numbers, then path, link target and attributes, counted. */
export function parseWalked(data: Buffer): Walked {
  const number = (i: number): number => Number(data.readBigInt64LE(i * 8));
  let at = 104;
  const counted = (): Buffer => {
    const length = data.readUInt32LE(at);
    at += 4 + length;
    return data.subarray(at - length, at);
  };
  const name = counted().toString('latin1');
  const target = counted().toString('latin1');
  const count = data.readUInt32LE(at);
  at += 4;
  return {
    name,
    target,
    mode: number(0),
    uid: number(1),
    gid: number(2),
    links: number(3),
    inode: `${number(11)}:${number(12)}:${data.readBigUInt64LE(32)}`,
    size: number(5),
    blocks: number(6),
    mtimeSeconds: number(7),
    mtimeNanoseconds: number(8),
    major: number(9),
    minor: number(10),
    xattrs: Array.from({ length: count }, () => [counted().toString('latin1'), counted()] as const),
  };
}
