/** An object of a tree, as the ops `walk` and `compare` report it. Names are bytes, as latin1. */
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
  /** Filesystem and inode: the same for all names of one file. */
  readonly inode: string;
  readonly size: number;
  /** Of 512 bytes. */
  readonly blocks: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  /** Time of change, which no call can set. */
  readonly ctimeSeconds: number;
  readonly ctimeNanoseconds: number;
  /** Time of birth; both are 0 if the filesystem does not record it. */
  readonly btimeSeconds: number;
  readonly btimeNanoseconds: number;
  /** Of a device. */
  readonly major: number;
  readonly minor: number;
  readonly xattrs: readonly (readonly [name: string, value: Buffer])[];
}

/** The type of a filesystem object. */
export type ObjectType = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character' | 'block';

const TYPES: Readonly<Record<number, ObjectType>> = {
  1: 'fifo',
  2: 'character',
  4: 'directory',
  6: 'block',
  8: 'file',
  10: 'symlink',
  12: 'socket',
};

/** Returns the type of an object (inode(7), `S_IFMT`); undefined for a type that Linux does not have. */
export function objectType({ mode }: Pick<Walked, 'mode'>): ObjectType | undefined {
  return TYPES[mode >> 12];
}

/** An object on one or both sides of a comparison. */
export interface Compared {
  readonly upper: Walked | undefined;
  readonly lower: Walked | undefined;
  /** Of two files: whether their bytes differ. */
  readonly contentDiffers: boolean;
}

const NUMBERS = 17;

/** Parses a `data` reply of `walk`: seventeen numbers, then path, link target and attributes, counted. */
export function parseWalked(data: Buffer): Walked {
  return walkedAt(data, 0).object;
}

/** Parses a `data` reply of `compare`: the sides, whether contents differ, and each object. */
export function parseCompared(data: Buffer): Compared {
  const sides = Number(data.readBigInt64LE(0));
  const upper = sides & 1 ? walkedAt(data, 16) : undefined;
  const lower = sides & 2 ? walkedAt(data, upper?.end ?? 16).object : undefined;
  return { upper: upper?.object, lower, contentDiffers: data.readBigInt64LE(8) !== 0n };
}

function walkedAt(data: Buffer, start: number): { readonly object: Walked; readonly end: number } {
  // Read as two halves: a BigInt for each number would cost more than the rest.
  const number = (i: number): number => data.readUInt32LE(start + i * 8) + data.readInt32LE(start + i * 8 + 4) * 0x100000000;
  let at = start + NUMBERS * 8;
  const counted = (): Buffer => {
    const length = data.readUInt32LE(at);
    at += 4 + length;
    return data.subarray(at - length, at);
  };
  const name = counted().toString('latin1');
  const target = counted().toString('latin1');
  const count = data.readUInt32LE(at);
  at += 4;
  const object = {
    name,
    target,
    mode: number(0),
    uid: number(1),
    gid: number(2),
    links: number(3),
    inode: `${number(11)}:${number(12)}:${data.readBigUInt64LE(start + 32)}`,
    size: number(5),
    blocks: number(6),
    mtimeSeconds: number(7),
    mtimeNanoseconds: number(8),
    ctimeSeconds: number(13),
    ctimeNanoseconds: number(14),
    btimeSeconds: number(15),
    btimeNanoseconds: number(16),
    major: number(9),
    minor: number(10),
    xattrs: Array.from({ length: count }, () => [counted().toString('latin1'), counted()] as const),
  };
  return { object, end: at };
}
