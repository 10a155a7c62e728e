import { MOUNT_ATTR, MS } from '@lamella/syscall';
import type { OciMount } from '../config/schema.js';

/** Flags of mount(2) that only this file uses. */
const MORE_MS = { DIRSYNC: 128, MANDLOCK: 64, NOSYMFOLLOW: 256, POSIXACL: 1 << 16, I_VERSION: 1 << 23, LAZYTIME: 1 << 25 } as const;

/** The options of a mount, by what they do (runtime-spec, config.md "Linux mount options"). */
export interface MountPlan {
  /** Flags of mount(2), MS_*, without those for binding and propagation. */
  readonly flags: number;
  /** Flags that an option turns off. */
  readonly cleared: number;
  readonly bind: 'bind' | 'rbind' | undefined;
  readonly remount: boolean;
  /** MS_SHARED and the like, with MS_REC. */
  readonly propagation: readonly number[];
  /** MOUNT_ATTR_* for all mounts of a tree: set, and cleared. */
  readonly recursive: { readonly set: number; readonly clear: number };
  readonly tmpcopyup: boolean;
  readonly idmap: 'idmap' | 'ridmap' | undefined;
  /** Options of the filesystem, for the data of mount(2). */
  readonly data: string;
}

const ON: Readonly<Record<string, number>> = {
  ro: MS.RDONLY,
  nosuid: MS.NOSUID,
  nodev: MS.NODEV,
  noexec: MS.NOEXEC,
  sync: MS.SYNCHRONOUS,
  dirsync: MORE_MS.DIRSYNC,
  mand: MORE_MS.MANDLOCK,
  noatime: MS.NOATIME,
  nodiratime: MS.NODIRATIME,
  relatime: MS.RELATIME,
  strictatime: MS.STRICTATIME,
  lazytime: MORE_MS.LAZYTIME,
  silent: MS.SILENT,
  iversion: MORE_MS.I_VERSION,
  nosymfollow: MORE_MS.NOSYMFOLLOW,
};
const OFF: Readonly<Record<string, number>> = {
  rw: MS.RDONLY,
  suid: MS.NOSUID,
  dev: MS.NODEV,
  exec: MS.NOEXEC,
  async: MS.SYNCHRONOUS,
  nomand: MORE_MS.MANDLOCK,
  atime: MS.NOATIME,
  diratime: MS.NODIRATIME,
  norelatime: MS.RELATIME,
  nostrictatime: MS.STRICTATIME,
  nolazytime: MORE_MS.LAZYTIME,
  loud: MS.SILENT,
  noiversion: MORE_MS.I_VERSION,
  symfollow: MORE_MS.NOSYMFOLLOW,
};
/** Propagation types by name, for mount options and `linux.rootfsPropagation`. */
export const PROPAGATION: Readonly<Record<string, number>> = {
  shared: MS.SHARED,
  slave: MS.SLAVE,
  private: MS.PRIVATE,
  unbindable: MS.UNBINDABLE,
  rshared: MS.SHARED + MS.REC,
  rslave: MS.SLAVE + MS.REC,
  rprivate: MS.PRIVATE + MS.REC,
  runbindable: MS.UNBINDABLE + MS.REC,
};
const ATIME = 0x70;
/** Attributes that mount_setattr(2) sets and clears. An atime option clears the earlier one. */
const RECURSIVE: Readonly<Record<string, readonly [set: number, clear: number]>> = {
  rro: [MOUNT_ATTR.RDONLY, 0],
  rrw: [0, MOUNT_ATTR.RDONLY],
  rnosuid: [MOUNT_ATTR.NOSUID, 0],
  rsuid: [0, MOUNT_ATTR.NOSUID],
  rnodev: [MOUNT_ATTR.NODEV, 0],
  rdev: [0, MOUNT_ATTR.NODEV],
  rnoexec: [MOUNT_ATTR.NOEXEC, 0],
  rexec: [0, MOUNT_ATTR.NOEXEC],
  rnodiratime: [MOUNT_ATTR.NODIRATIME, 0],
  rdiratime: [0, MOUNT_ATTR.NODIRATIME],
  rrelatime: [MOUNT_ATTR.RELATIME, ATIME],
  rnorelatime: [0, ATIME],
  rnoatime: [MOUNT_ATTR.NOATIME, ATIME],
  ratime: [0, ATIME],
  rstrictatime: [MOUNT_ATTR.STRICTATIME, ATIME],
  rnostrictatime: [0, ATIME],
  rnosymfollow: [MOUNT_ATTR.NOSYMFOLLOW, 0],
  rsymfollow: [0, MOUNT_ATTR.NOSYMFOLLOW],
};
const OTHERS = ['bind', 'rbind', 'remount', 'defaults', 'tmpcopyup', 'idmap', 'ridmap', 'acl', 'noacl'];

/** Every option that the runtime handles itself, for the features document. */
export const MOUNT_OPTIONS: readonly string[] = [
  ...Object.keys(ON),
  ...Object.keys(OFF),
  ...Object.keys(PROPAGATION),
  ...Object.keys(RECURSIVE),
  ...OTHERS,
].sort();

/** Sorts the options of a mount. Of two that contradict each other the later one counts. */
export function planMount({ options, type }: Pick<OciMount, 'options' | 'type'>): MountPlan {
  let [flags, cleared, set, clear] = [0, 0, 0, 0];
  let bind: MountPlan['bind'] = type === 'bind' ? 'rbind' : undefined;
  let idmap: MountPlan['idmap'];
  let [remount, tmpcopyup] = [false, false];
  const propagation: number[] = [];
  const data: string[] = [];
  for (const option of options ?? []) {
    const [on, off, spread, all] = [ON[option], OFF[option], PROPAGATION[option], RECURSIVE[option]];
    if (on !== undefined) {
      flags |= on;
      cleared &= ~on;
    } else if (off !== undefined) {
      flags &= ~off;
      cleared |= off;
    } else if (spread !== undefined) propagation.push(spread);
    else if (all !== undefined) {
      set = (set & ~all[1]) | all[0];
      clear |= all[1];
      if (all[0] && !all[1]) clear &= ~all[0];
    } else if (option === 'bind' || option === 'rbind') bind = option;
    else if (option === 'idmap' || option === 'ridmap') idmap = option;
    else if (option === 'remount') remount = true;
    else if (option === 'tmpcopyup') tmpcopyup = true;
    else if (option === 'acl') flags |= MORE_MS.POSIXACL;
    else if (option === 'noacl') flags &= ~MORE_MS.POSIXACL;
    else if (option !== 'defaults' && option !== '') data.push(option);
  }
  return { flags, cleared, bind, remount, propagation, recursive: { set, clear }, tmpcopyup, idmap, data: data.join(',') };
}

/** Returns the MOUNT_ATTR_* of mount_setattr(2) for flags of mount(2). */
export function attributesOf(flags: number): number {
  return (
    (flags & MS.RDONLY ? MOUNT_ATTR.RDONLY : 0) |
    (flags & MS.NOSUID ? MOUNT_ATTR.NOSUID : 0) |
    (flags & MS.NODEV ? MOUNT_ATTR.NODEV : 0) |
    (flags & MS.NOEXEC ? MOUNT_ATTR.NOEXEC : 0) |
    (flags & MS.NOATIME ? MOUNT_ATTR.NOATIME : 0) |
    (flags & MS.STRICTATIME ? MOUNT_ATTR.STRICTATIME : 0) |
    (flags & MS.NODIRATIME ? MOUNT_ATTR.NODIRATIME : 0) |
    (flags & MORE_MS.NOSYMFOLLOW ? MOUNT_ATTR.NOSYMFOLLOW : 0)
  );
}
