import { statfsSync } from 'node:fs';
import {
  AT_FDCWD,
  END_SERVED,
  FSCONFIG,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  findProgram,
  idMapping,
  O,
  type Op,
  openObject,
  type Program,
  type SlotAllocator,
  serve,
  unfitForUpper,
} from '@lamella/syscall';
import { firstNamed } from './named-descriptors.js';
import { attributesOf, setting } from './new-mount.js';
import type { FuseOverlay, OverlayStack, ShownIds } from './stack.js';

const SIGKILL = 9;
/** Marks are files on every filesystem, so that readers of an upper know what to look for. */
const ENVIRONMENT = ['FUSE_OVERLAYFS_DISABLE_OVL_WHITEOUT=1'];
/** The mounting and the serving process talk to the kernel through it (fuse(4)). */
export const FUSE_DEVICE = '/dev/fuse';

/**
 * The program that joins layers in the kernel's place, where overlayfs cannot have its upper: on NFS, or in another container.
 *
 * @param directory absolute path of where the upper is to be
 * @returns undefined where the kernel does it, or no such program is installed
 */
export function fuseOverlayFor(directory: string): FuseOverlay | undefined {
  return unfitForUpper(directory) === undefined ? undefined : findFuseOverlay(directory);
}

/** The same whatever the kernel could do; undefined where no such program is installed. */
export function findFuseOverlay(directory: string): FuseOverlay | undefined {
  const program = findProgram('fuse-overlayfs');
  return program === undefined ? undefined : { program, allowOther: idMapping().kind !== 'single', acl: HAVE_ACLS.has(statfsSync(directory).type) };
}

/** statfs(2) magic numbers of ext4, xfs, btrfs, tmpfs and overlayfs. */
const HAVE_ACLS: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630]);

/**
 * Returns the ops that make a stack's mount by fuse-overlayfs(1), for root of a mount namespace, without attaching it anywhere; its
 * descriptor is in the slot `out` then. The program serves it as another process, which ends with it. It
 * runs in a separate mount namespace without the mount, because it would keep itself alive otherwise.
 */
export function fuseOverlayDetached(stack: Omit<OverlayStack, 'merged'> & { readonly fuse: FuseOverlay }, out: number, slots: SlotAllocator): Program {
  const [device, context] = [slots(), slots()];
  /** The descriptor by which the mount and the program that serves it know each other; those of directories follow. */
  const deviceNumber = firstNamed(slots);
  const directories: Op[] = [];
  let named = 0;
  const nameOf = (path: string): string => {
    const expected = stack.expected?.[path];
    if (!expected && !/[\\,:]/.test(path)) return path;
    const [slot, number] = [slots(), deviceNumber + ++named];
    directories.push(
      ...(expected
        ? openObject(path, expected, slot)
        : ([{ op: 'openat', dirfd: AT_FDCWD, pathname: path, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: slot }] as const)),
      { op: 'dup3', fd: slot, newfd: number, flags: 0 },
      { op: 'close', fd: slot },
    );
    return `/proc/self/fd/${number}`;
  };
  const settings = [
    `lowerdir=${stack.lowerdirs.map(nameOf).join(':')}`,
    ...(stack.upperdir === undefined ? [] : [`upperdir=${nameOf(stack.upperdir)}`]),
    ...(stack.workdir === undefined ? [] : [`workdir=${nameOf(stack.workdir)}`]),
    ...(stack.options?.volatile ? ['volatile'] : []),
    ...(stack.fuse.acl === false ? ['noacl'] : []),
    ...(stack.fuse.ids ? [`uidmapping=${mapping(stack.fuse.ids.uids)}`, `gidmapping=${mapping(stack.fuse.ids.gids)}`] : []),
  ];
  const set = (key: string, value: string | null): Op => setting(context, key, value);
  return [
    { op: 'openat', dirfd: AT_FDCWD, pathname: FUSE_DEVICE, flags: O.RDWR | O.CLOEXEC, mode: 0, out: device },
    { op: 'dup3', fd: device, newfd: deviceNumber, flags: O.CLOEXEC },
    { op: 'fsopen', fsname: 'fuse', flags: FSOPEN_CLOEXEC, out: context },
    set('source', 'fuse-overlayfs'),
    set('subtype', 'fuse-overlayfs'),
    set('fd', `${deviceNumber}`),
    set('rootmode', '40000'),
    set('user_id', '0'),
    set('group_id', '0'),
    set('default_permissions', null),
    ...(stack.fuse.allowOther ? [set('allow_other', null)] : []),
    ...(stack.upperdir === undefined ? [set('ro', null)] : []),
    { op: 'fsconfig', fd: context, cmd: FSCONFIG.CMD_CREATE, key: null, value: null, aux: -1 },
    { op: 'fsmount', fd: context, flags: FSMOUNT_CLOEXEC, mount_attrs: attributesOf(stack.flags), out },
    { op: 'close', fd: context },
    serve(
      {
        argv: [stack.fuse.program, '-f', '-o', settings.join(','), `/dev/fd/${deviceNumber}`],
        env: ENVIRONMENT,
        before: [...directories, { op: 'dup3', fd: device, newfd: deviceNumber, flags: 0 }],
        ...(stack.fuse.diesToo ? { diesWith: SIGKILL } : {}),
      },
      slots,
    ),
    { op: 'close', fd: device },
    { op: 'close_range', first: deviceNumber, last: deviceNumber, flags: 0 },
  ];
}

function mapping(ranges: readonly ShownIds[]): string {
  return ranges.map(({ shown, kept, count }) => `${kept}:${shown}:${count}`).join(':');
}

/** For a program that has its mounts by their descriptors only: they go, and who serves them ends, with it. Nothing else is to be done at its end. */
export const fuseOverlayAtExit: Op = { op: 'on_exit', program: [{ op: 'close_range', first: 5, last: 0xffffffff, flags: 0 }, END_SERVED] };
