import { type BigIntStats, lstatSync, readlinkSync, realpathSync, statfsSync, statSync } from 'node:fs';
import { bootId, type ObjectIdentity, S_IF } from '@lamella/syscall';
import type { Source } from '../../model/source.js';
import { unreachable } from '../host/host-paths.js';

/** What is different of two objects that should be one. */
export type Difference = 'type' | 'device' | 'filesystem' | 'object';

/** statfs(2) magic numbers of filesystems whose inode numbers are made up as objects are looked at, and may change meanwhile. */
const NUMBERLESS: ReadonlySet<number> = new Set([
  0x9fa0, // proc
  0x65735546, // FUSE
  0x4d44, // FAT
  0x2011bab0, // exFAT
  0x517b, // SMB
  0xff534d42, // CIFS
  0xfe534d42, // SMB2
  0x01021997, // 9p
  0x786f4256, // vboxsf
]);
const OVERLAYFS = 0x794c7630;
/** tmpfs, ramfs: what is there after a reboot was made after it. */
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);
/** btrfs, bcachefs: users may make snapshots, where inode numbers and birth times are the same. */
const WITH_SNAPSHOTS: ReadonlySet<number> = new Set([0x9123683e, 0xca451a4e]);

/**
 * Follows the links of a path, and looks at what it leads to.
 *
 * @returns undefined if no path without links leads there: a magic link of /proc goes to another mount namespace, or to what has no name
 * @throws NodeJS.ErrnoException
 */
export function findSource(pathname: string): Source | undefined {
  const found = lookAt(realpathSync.native(pathname));
  const { dev, ino } = statSync(pathname, { bigint: true });
  const real = lstatSync(found.path, { bigint: true });
  return dev === real.dev && (ino === real.ino || found.identity.inode === '0') ? found : undefined;
}

/** Looks at an object itself, if it is a link, too. @param pathname absolute @throws NodeJS.ErrnoException */
export function lookAt(pathname: string): Source {
  const stats = lstatSync(pathname, { bigint: true });
  const filesystem = statfsSync(pathname).type;
  const isDevice = stats.isCharacterDevice() || stats.isBlockDevice();
  return {
    path: pathname,
    identity: identityOf(stats, filesystem),
    filesystem,
    look: { mode: Number(stats.mode), uid: Number(stats.uid), gid: Number(stats.gid) },
    ...(isDevice ? { device: stats.rdev.toString() } : {}),
    boot: bootId(),
  };
}

/** What is at a path, if it is a directory, and no part of the path a link; undefined for one that has just gone, or was closed. */
export function directoryAt(pathname: string): Source | undefined {
  if (linkIn(pathname) !== undefined) return undefined;
  try {
    const found = lookAt(pathname);
    return isDirectorySource(found) ? found : undefined;
  } catch (error) {
    return unreachable(error);
  }
}

/** Returns the first part of a path that is a symbolic link, and its target. */
export function linkIn(pathname: string): { readonly at: string; readonly target: string } | undefined {
  const parts = pathname.split('/').filter(Boolean);
  for (let i = 1; i <= parts.length; i++) {
    const at = `/${parts.slice(0, i).join('/')}`;
    try {
      return { at, target: readlinkSync(at) };
    } catch (error) {
      // Only a link has a target to read.
      if ((error as NodeJS.ErrnoException).code === 'EINVAL') continue;
      return unreachable(error);
    }
  }
  return undefined;
}

/** Whether a source is a directory. */
export function isDirectorySource({ identity }: Source): boolean {
  return identity.type === S_IF.IFDIR;
}

const NANOSECONDS = 1_000_000_000n;

/**
 * What tells an object from others. An inode number that is made up is left out (0), and so is a birth time that belongs to a copy:
 * overlayfs reports that of the upper's directory, which is made when something in it is changed first.
 */
function identityOf(stats: BigIntStats, filesystem: number): ObjectIdentity {
  const numbered = !NUMBERLESS.has(filesystem);
  const born = numbered && filesystem !== OVERLAYFS ? stats.birthtimeNs : 0n;
  return {
    type: Number(stats.mode) & S_IF.IFMT,
    // gnu_dev_major(3), gnu_dev_minor(3)
    major: Number(((stats.dev >> 8n) & 0xfffn) | ((stats.dev >> 32n) & 0xfffff000n)),
    minor: Number((stats.dev & 0xffn) | ((stats.dev >> 12n) & 0xffffff00n)),
    inode: numbered ? stats.ino.toString() : '0',
    birthSeconds: Number(born / NANOSECONDS),
    birthNanoseconds: Number(born % NANOSECONDS),
  };
}

/**
 * Returns what tells the object that is there now from the one that was recorded; undefined if they are the same.
 *
 * A device is the same if it has the same number: its node is made anew whenever it is plugged in. Anything else is the same if inode number and
 * birth time are, which no user can choose. Birth times are compared where both are known. The number of its filesystem counts where these do not suffice: in the boot in which it was
 * recorded, if the birth time is unknown, users can make snapshots, or it is in memory: the tops of two that are mounted in one tick are alike. Filesystems in memory begin anew with each boot: of
 * what is in one then, only the type can be compared.
 */
export function differenceOf(was: Source, is: Source): Difference | undefined {
  if (was.identity.type !== is.identity.type) return 'type';
  if (was.device !== undefined || is.device !== undefined) return was.device === is.device ? undefined : 'device';
  if (was.filesystem !== is.filesystem) return 'filesystem';
  const rebooted = was.boot !== is.boot;
  if (rebooted && IN_MEMORY.has(was.filesystem)) return undefined;
  const [a, b] = [was.identity, is.identity];
  const areBorn = isBorn(a) && isBorn(b);
  if (a.inode !== b.inode || (areBorn && (a.birthSeconds !== b.birthSeconds || a.birthNanoseconds !== b.birthNanoseconds))) return 'object';
  if (rebooted || NUMBERLESS.has(was.filesystem) || (a.major === b.major && a.minor === b.minor)) return undefined;
  const isUnique = areBorn && !WITH_SNAPSHOTS.has(was.filesystem) && !IN_MEMORY.has(was.filesystem);
  return isUnique ? undefined : 'filesystem';
}

/** Whether the birth time of an object is known: an older kernel, or another way to the filesystem, may not tell it. */
function isBorn({ birthSeconds, birthNanoseconds }: ObjectIdentity): boolean {
  return birthSeconds !== 0 || birthNanoseconds !== 0;
}

const TYPES: Readonly<Record<number, string>> = {
  [S_IF.IFDIR]: 'directory',
  [S_IF.IFREG]: 'file',
  [S_IF.IFLNK]: 'symbolic link',
  [S_IF.IFSOCK]: 'socket',
  [S_IF.IFIFO]: 'FIFO',
  [S_IF.IFCHR]: 'character device',
  [S_IF.IFBLK]: 'block device',
};

/** Names an object in a message. */
export function describeSource({ identity, device }: Source): string {
  const { type, major, minor, inode, birthSeconds } = identity;
  const facts = [
    ...(device === undefined ? [] : [`number ${(Number(device) >> 8) & 0xfff}:${Number(device) & 0xff}`]),
    ...(inode === '0' || device !== undefined ? [] : [`inode ${inode} of ${major}:${minor}`]),
    ...(birthSeconds && device === undefined ? [`made ${new Date(birthSeconds * 1000).toISOString().replace('.000Z', 'Z')}`] : []),
  ];
  return `a ${TYPES[type] ?? 'thing'}${facts.length ? ` (${facts.join(', ')})` : ''}`;
}
