import path from 'node:path';
import { overlayDetached, type ShownIds, unsupportedUpper } from '@lamella/overlay';
import { AT, AT_FDCWD, idMapping, MNT, MOVE_MOUNT, OPEN_TREE, type Op, type Program, type SlotAllocator, unfitForUpper } from '@lamella/syscall';
import type { IdMap, OwnIds } from '../model/container-ids.js';
import { EngineError } from '../model/engine-error.js';
import type { RunSpec } from '../model/run-spec.js';
import type { CheckedMount, WritableMount } from '../model/writable-mount.js';
import { overlayOf } from './overlay.js';

/** The views of a container that fuse-overlayfs(1) shows, and where its monitor has them. */
export interface FuseViews {
  readonly views: readonly (readonly [view: CheckedMount, merged: string])[];
  /** They are in a mount namespace of the monitor's. */
  readonly apart: boolean;
}

/**
 * Where the views are that fuse-overlayfs(1) has to show. Not the container's process mounts
 * them but its monitor, and they are served from outside of the container, from where the mounts came before there was one: nobody in it sees who serves.
 *
 * @param merged where the root is mounted
 * @throws EngineError `FUSE_UNFIT`
 */
export function fuseViewsOf([top, ...others]: readonly [CheckedMount, ...CheckedMount[]], spec: RunSpec, merged: string): FuseViews {
  const views = [...(top.files ? [[top, merged] as const] : []), ...others.filter(({ files }) => files).map((view) => [view, mergedOf(view)] as const)];
  const apart = views.length > 0 && (spec.workspace === undefined || process.geteuid?.() !== 0);
  if (views.length && spec.host) throw unfit('a view of the host has one overlay for each of its filesystems');
  if (views.length && spec.userns === 'keep-id' && idMapping().kind === 'single')
    throw unfit('it shows the one id that there is as root only, and --userns keep-id asks for another name');
  if (!apart && others.some(({ files }) => files)) throw unfit("in a workspace of root's a volume cannot have an overlay by it");
  return { views, apart };
}

function unfit(why: string): EngineError {
  return new EngineError({
    code: 'FUSE_UNFIT',
    message: `here fuse-overlayfs joins the layers, and ${why}`,
    hint: 'Choose a --root on ext4, xfs, btrfs or tmpfs, where the kernel joins them. As an ordinary user, leave --userns out, too.',
  });
}

/** @throws EngineError `FUSE_UNFIT` for a container that runs on layers which cannot be exchanged below it */
export function refuseExchange(views: readonly WritableMount[]): void {
  if (views.some(({ files }) => files)) throw unfit('what it serves cannot be exchanged while the container runs; stop it first');
}

/** Where the monitor has a view that is not the root. */
function mergedOf({ upperdir }: WritableMount): string {
  return path.join(path.dirname(upperdir), path.basename(upperdir).replace('upper', 'merged'));
}

/** Ops that mount them, for the monitor, with the ids that the container has. */
export function mountFuseViews({ views }: FuseViews, spec: RunSpec, ids: OwnIds | undefined, root: string, slots: SlotAllocator): Program {
  const shown = (maps: readonly IdMap[]): ShownIds[] => maps.map(({ inside, outside, count }) => ({ shown: outside, kept: inside, count }));
  return views.flatMap(([view, merged]): Op[] => {
    const mount = slots();
    const { fuse, ...overlay } = overlayOf(view, spec, root);
    if (!fuse && ids?.byFuse)
      throw new EngineError({
        code: 'FUSE_MISSING',
        message: 'fuse-overlayfs is not installed, which must show the files with the ids of the user namespace',
        hint: 'apt-get install fuse-overlayfs, or leave --userns out.',
      });
    if (!fuse) throw unsupportedUpper(view.upperdir, unfitForUpper(root) ?? unfitForUpper(spec.workspace ?? root) ?? 'this filesystem');
    const owners = ids?.byFuse ? { ids: { uids: shown(ids.uids), gids: shown(ids.gids) } } : {};
    // As root the mount of a workspace is on the host, where it would stay if its monitor was killed.
    const diesToo = spec.workspace !== undefined && process.geteuid?.() === 0;
    return [
      ...overlayDetached({ ...overlay, fuse: { ...fuse, ...owners, diesToo } }, mount, slots),
      { op: 'move_mount', from_dirfd: mount, from_pathname: '', to_dirfd: AT_FDCWD, to_pathname: merged, flags: MOVE_MOUNT.F_EMPTY_PATH },
      { op: 'close', fd: mount },
    ];
  });
}

/** Ops, for a container's process, after which another mount of a view that its monitor has is in the slot `out`; undefined for one that the kernel shows. */
export function copyFuseView({ views }: FuseViews, view: WritableMount, out: number): Program | undefined {
  const found = views.find(([each]) => each === view);
  if (!found) return undefined;
  return [{ op: 'open_tree', dirfd: AT_FDCWD, pathname: found[1], flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | AT.RECURSIVE, out }];
}

/** Ops, for an exit program, that take them away; who served them ends then. */
export function endFuseViews({ views }: FuseViews): Program {
  return views.map(([, target]): Op => ({ op: 'umount2', target, flags: MNT.DETACH, ignore: ['EINVAL', 'ENOENT'] }));
}
