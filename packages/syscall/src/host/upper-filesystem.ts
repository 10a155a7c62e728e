import { statfsSync } from 'node:fs';

/** statfs(2) magic numbers of filesystems whose directories overlayfs takes for no upper: they have a life of their own, or no marks. */
const UNFIT: Readonly<Record<number, string>> = {
  0x6969: 'NFS',
  0x517b: 'SMB',
  0xff534d42: 'CIFS',
  0xfe534d42: 'SMB2',
  0x65735546: 'FUSE',
  0x4d44: 'FAT',
  0x794c7630: 'overlayfs',
  0x73717368: 'squashfs',
  0x9660: 'ISO 9660',
};

/**
 * What a directory's filesystem is called, if the kernel's overlayfs cannot have an upper there. Whatever joins layers
 * in its place cannot count on devices and `trusted.*` or `user.*` attributes either: marks are files there.
 *
 * @param directory absolute path
 * @returns undefined where an upper is possible, or nothing is known
 */
export function unfitForUpper(directory: string): string | undefined {
  try {
    return UNFIT[statfsSync(directory).type];
  } catch (error) {
    // Whoever uses the directory says what is wrong with it.
    if (['ENOENT', 'EACCES', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
