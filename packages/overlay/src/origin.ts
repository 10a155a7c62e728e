import type { Walked } from '@lamella/syscall';

/** `struct ovl_fb` (fs/overlayfs/overlayfs.h): version, magic, length, flags, the kind of the handle, the filesystem's UUID. */
const HEADER = 21;
const MAGIC = 0xfb;
/** Kinds of file handles (include/linux/exportfs.h). */
const [INO32_GEN, INO64_GEN, BTRFS] = [0x01, 0x81, 0x4d] as const;

/**
 * The inode of the lower file that a file was copied up from, as overlayfs notes it in the attribute `origin` if the mounting user may
 * use file handles (root). It stays when the file is renamed.
 *
 * @returns undefined where nothing is noted, or in the words of a filesystem that is not ext4, xfs, btrfs or tmpfs
 */
export function originOf({ xattrs }: Walked): bigint | undefined {
  const noted = xattrs.find(([name]) => name === 'trusted.overlay.origin' || name === 'user.overlay.origin')?.[1];
  if (!noted || noted.length <= HEADER || noted[1] !== MAGIC) return undefined;
  const kind = noted[4];
  const handle = noted.subarray(HEADER, noted[2]);
  if (kind === INO32_GEN && handle.length === 8) return BigInt(handle.readUInt32LE(0));
  // Of tmpfs, which begins with the generation.
  if (kind === INO32_GEN && handle.length === 12) return handle.readBigUInt64LE(4);
  if ((kind === INO64_GEN || kind === BTRFS) && handle.length >= 12) return handle.readBigUInt64LE(0);
  return undefined;
}

/** The number of an object's own inode. */
export function inodeOf({ inode }: Walked): bigint {
  return BigInt(inode.slice(inode.lastIndexOf(':') + 1));
}
