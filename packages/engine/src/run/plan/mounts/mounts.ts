import { DEFAULT_MOUNTS, type Mount } from '@lamella/namespace';
import { overlayDetached } from '@lamella/overlay';
import type { ObjectIdentity, Program, SlotAllocator } from '@lamella/syscall';
import { copyFuseView } from '../../../filesystem/fuse-overlays.js';
import { hostMounts } from '../../../filesystem/host/host-program.js';
import { overlayOf } from '../../../filesystem/overlay.js';
import { givenAt } from '../../../filesystem/sources/check-sources.js';
import { bind, bindStill, checkVolume, deviceSources } from '../../../filesystem/volumes.js';
import { overlayVolumes } from '../../../filesystem/writable-mounts.js';
import { devicesOf } from '../../../isolation/confinement.js';
import { asRootOf, mapOntoItself } from '../../../isolation/userns.js';
import type { RunSpec } from '../../../model/run-spec.js';
import type { Sources } from '../../../model/source.js';
import type { CheckedMount } from '../../../model/writable-mount.js';
import type { PlannedFilesystem } from '../filesystem.js';
import type { PlannedIdentity } from '../identity.js';
import type { PlannedLimits } from '../limits.js';
import type { PlannedNetwork } from '../network.js';
import type { PlanRequest } from '../plan-request.js';
import { containerFiles } from './container-files.js';
import { containerMounts, ownVolumes } from './mount-order.js';

/**
 * Returns what is mounted in the container's root, in order.
 *
 * @throws EngineError `VOLUME_INVALID`, `DEVICE_INVALID`
 */
export function planMounts(
  request: PlanRequest,
  identity: PlannedIdentity,
  { others, fuse }: PlannedFilesystem,
  { group }: PlannedLimits,
  network: PlannedNetwork,
  slots: SlotAllocator,
): readonly Mount[] {
  const { spec, root, lowers, life, sources } = request;
  const { ids, userns } = identity;
  const made = (view: CheckedMount): Mount => {
    const mounted = slots();
    return {
      type: 'made',
      destination: view.destination,
      program:
        (life.still ? undefined : copyFuseView(fuse, view, mounted)) ??
        withMappedIds(request, identity, view.source, overlayDetached(overlayOf(view, spec, root), mounted, slots), slots, expectedOf(view)),
      mount: mounted,
      // A directory of the host may disappear before it is mounted.
      ...(spec.host ? { optional: true } : {}),
    };
  };
  const confining: readonly Mount[] = [
    ...defaultMounts(spec, sources.now),
    ...(group?.version === 2 ? [{ type: 'cgroup2', destination: '/sys/fs/cgroup' } as const] : []),
  ];
  const volumes = spec.volumes ?? [];
  return containerMounts({
    confining: [...confining, ...(spec.host ? hostMounts(spec.host, others, made, root) : [])],
    files: spec.host ? [] : containerFiles(identity.hostname, network.kind),
    own: ownVolumes(lowers.config, spec, confining),
    asked: [
      ...(spec.tmpfs ?? []).map((each): Mount => ({ type: 'tmpfs', ...each })),
      ...volumes.map((volume) => {
        const source = givenAt(sources, volume.source);
        checkVolume(volume, source);
        const options = { userns, devices: deviceSources(spec, sources.now) };
        if (!volume.overlay) return life.still ? bindStill(volume, source, ids) : bind(volume, source, options);
        const view = others[(spec.host?.overlays.length ?? 0) + overlayVolumes(spec).indexOf(volume)];
        if (!view) throw new TypeError('an overlay volume without a writable mount');
        return made(view);
      }),
    ],
  });
}

/**
 * Returns ops that mount something whose files have the ids of the container's user namespace: the directory they are in is first mounted
 * over itself with mapped ids.
 *
 * @param directory absolute path on the host
 */
export function withMappedIds(
  { life }: PlanRequest,
  { ids, userns }: PlannedIdentity,
  directory: string | undefined,
  mounts: Program,
  slots: SlotAllocator,
  expected?: ObjectIdentity,
): Program {
  if (userns === undefined || !ids?.idmapped || directory === undefined || life.still) return mounts;
  return [...mapOntoItself(directory, userns, slots, expected), ...asRootOf(ids, mounts)];
}

/** Returns the mounts that every container gets, with the options of the spec. */
function defaultMounts(spec: RunSpec, sources: Sources): Mount[] {
  const devices = devicesOf(spec, sources);
  return DEFAULT_MOUNTS.map((mount) => {
    if (mount.type === 'dev' && devices.length) return { ...mount, devices };
    if (mount.type === 'proc' && spec.hidepid !== undefined) return { ...mount, hidepid: spec.hidepid };
    if (mount.type === 'sysfs' && spec.privileged) return { ...mount, writable: true };
    return mount.type === 'tmpfs' && spec.shmSize !== undefined ? { ...mount, size: spec.shmSize } : mount;
  });
}

/** Returns the object that the source has to be. */
function expectedOf({ source, expected }: CheckedMount): ObjectIdentity | undefined {
  return source === undefined ? undefined : expected[source];
}
