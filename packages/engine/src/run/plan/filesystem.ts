import path from 'node:path';
import { methodFor, type OverlayStack, overlayMount } from '@lamella/overlay';
import type { Program, SlotAllocator } from '@lamella/syscall';
import { type FuseViews, fuseViewsOf, mountFuseViews } from '../../filesystem/fuse-overlays.js';
import { overlayOf } from '../../filesystem/overlay.js';
import { checkPropagation } from '../../filesystem/volumes.js';
import { checkedMounts, writableMountsOf } from '../../filesystem/writable-mounts.js';
import type { CheckedMount } from '../../model/writable-mount.js';
import type { PlannedIdentity } from './identity.js';
import type { PlannedNetwork } from './network.js';
import type { PlanRequest } from './plan-request.js';

/** Where the container's files come from, and where its changes go. */
export interface PlannedFilesystem {
  readonly top: CheckedMount;
  /** The overlays of volumes, and of directories of the host. */
  readonly others: readonly CheckedMount[];
  /** The overlay that becomes the root. */
  readonly stack: OverlayStack;
  /** The root is mounted in the host's mount namespace: a workspace of root. */
  readonly mountedOnHost: boolean;
  /** Ops that mount the root; empty where fuse-overlayfs does. */
  readonly mountRoot: Program;
  readonly fuse: FuseViews;
  /** Ops of the monitor that mount what fuse-overlayfs shows. */
  readonly mountByFuse: Program;
  /** The monitor has a mount namespace, and what it makes for the container has the rights it has there. */
  readonly monitorNamespace: boolean;
}

/** @throws EngineError `FUSE_UNFIT`, `FUSE_MISSING`, `VOLUME_INVALID` */
export function planFilesystem(
  { spec, root, lowers, life, sources, features }: PlanRequest,
  { directory, ids }: PlannedIdentity,
  network: PlannedNetwork,
  slots: SlotAllocator,
): PlannedFilesystem {
  const isRoot = process.geteuid?.() === 0;
  const [top, ...others] = checkedMounts(writableMountsOf({ root, directory, spec, lowers, frozen: life.frozen ?? [], ids, sources: sources.now }), sources);
  const stack: OverlayStack = { ...overlayOf(top, spec, root), merged: path.join(spec.workspace ?? directory, 'merged') };
  const fuse = fuseViewsOf([top, ...others], spec, stack.merged);
  const monitorNamespace = fuse.apart || network.needsMonitorNamespace;
  if (!life.still) checkPropagation(spec.volumes ?? [], sources.now, isRoot && !monitorNamespace);
  return {
    top,
    others,
    stack,
    mountedOnHost: spec.workspace !== undefined && isRoot,
    fuse,
    mountByFuse: mountFuseViews(fuse, spec, ids, root, slots),
    mountRoot: top.files ? [] : overlayMount(stack, methodFor(stack, features), slots),
    monitorNamespace,
  };
}
