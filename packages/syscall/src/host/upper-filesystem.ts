import { statfsSync } from 'node:fs';

/**
 * statfs(2) magic numbers of filesystems that overlayfs does not accept for an upper directory: they change on their own or lack
 * the attributes.
 */
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
 * Returns the name of a directory's filesystem if overlayfs does not accept an upper directory there. Other ways to join layers
 * cannot rely on devices or attributes there either, so marks are files.
 *
 * @param directory absolute path
 * @returns undefined if an upper directory is possible, or the filesystem is unknown
 */
export function unfitForUpper(directory: string): string | undefined {
  try {
    return UNFIT[statfsSync(directory).type];
  } catch (error) {
    // Using the directory fails later, with a better message.
    if (['ENOENT', 'EACCES', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
