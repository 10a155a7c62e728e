import { type Stats, statSync } from 'node:fs';
import path from 'node:path';
import { DEFAULT_NODES, type Mount } from '@lamella/namespace';
import { AT_FDCWD, idMapping, insideId, type Program, readMounts, S_IF } from '@lamella/syscall';
import type { OwnIds } from '../model/container-ids.js';
import { EngineError } from '../model/engine-error.js';
import type { RunSpec } from '../model/run-spec.js';
import type { Source, Sources } from '../model/source.js';
import type { Volume } from '../model/volume.js';
import { isDirectorySource } from './sources/identify-source.js';

/** @param given what its source is @throws EngineError `VOLUME_INVALID` */
export function checkVolume({ source, destination, overlay, readonly, propagation }: Volume, given: Source): void {
  for (const each of [source, destination])
    if (!path.isAbsolute(each)) throw invalid(`'${each}' in a volume is not an absolute path`, 'Write SRC:DST with absolute paths.');
  if (path.posix.normalize(destination) === '/') throw invalid('a volume cannot be mounted on /', 'Use a directory below it.');
  if (overlay && readonly) throw invalid(`the volume ${source} is to be read-only and an overlay`, 'What cannot be written needs no overlay: choose one.');
  if (overlay && propagation)
    throw invalid(`the volume ${source} is to follow the host's mounts and to be an overlay`, 'An overlay shows one filesystem: choose one.');
  if (overlay && !isDirectorySource(given))
    throw invalid(`the volume's source ${source} is not a directory`, 'An overlay lies on a directory: give the one that the file is in.');
}

/**
 * Refuses volumes that are to follow the mounts of the host where they cannot.
 *
 * @param follows whether the container's mounts are copies of the host's
 * @throws EngineError `VOLUME_INVALID`
 */
export function checkPropagation(volumes: readonly Volume[], sources: Sources, follows: boolean): void {
  const following = volumes.filter(({ propagation }) => propagation !== undefined);
  if (!following.length) return;
  const mounts = readMounts();
  for (const { source } of following) {
    if (!follows)
      throw invalid(`the volume ${source} cannot follow the host's mounts (rslave) here`, 'Only root can, and not with fuse-overlayfs. Leave the option out.');
    const at = sources.get(source)?.path ?? source;
    const mount = mounts.findLast(({ point }) => point === '/' || at === point || at.startsWith(`${point}/`));
    if (!mount?.propagates)
      throw invalid(
        `the volume ${source} is on the mount ${mount?.point ?? '/'}, which is not shared or slave`,
        `mount --make-rshared ${mount?.point ?? '/'} makes it shared; or leave rslave out.`,
      );
  }
}

/** The devices of the host that a container may open in its volumes: those that each has, and those that it was given. @see DEFAULT_NODES */
export function deviceSources({ devices = [], privileged }: Pick<RunSpec, 'devices' | 'privileged'>, sources: Sources): (given: Source) => boolean {
  const own = new Set(devices.map(({ source }) => sources.get(source)?.device).filter((each) => each !== undefined));
  return ({ device, identity }) => {
    if (privileged) return true;
    if (device === undefined) return false;
    return own.has(device) || (identity.type === S_IF.IFCHR && DEFAULT_NODES.some(([, major, minor]) => device === `${(major << 8) | minor}`));
  };
}

/** How a volume that reaches the host is shown. */
export interface BindOptions {
  /** Slot of the container's own user namespace. */
  readonly userns: number | undefined;
  /** See {@link deviceSources}. */
  readonly devices: (given: Source) => boolean;
}

/** A volume that reaches the host. @param given what its source is */
export function bind({ destination, readonly, idmap, propagation, recursive }: Volume, given: Source, { userns, devices }: BindOptions): Mount {
  return {
    type: 'bind',
    source: given.path,
    expected: given.identity,
    destination,
    directory: isDirectorySource(given),
    ...(readonly ? { readonly: true } : {}),
    ...(devices(given) ? { dev: true } : {}),
    ...(propagation ? { propagation } : {}),
    ...(recursive === undefined ? {} : { recursive }),
    ...(idmap && userns !== undefined ? { idmap: userns } : {}),
  };
}

/**
 * The same for a container that does not run. Nobody has the container's ids then: what belongs to the host's ids in a container with others cannot be
 * written to.
 */
export function bindStill({ propagation, idmap, ...volume }: Volume, given: Source, ids: OwnIds | undefined): Mount {
  return bind(ids && !idmap ? { ...volume, readonly: true } : volume, given, { userns: undefined, devices: () => false });
}

function invalid(message: string, hint: string): EngineError {
  return new EngineError({ code: 'VOLUME_INVALID', message, hint });
}

/** The top of a view is the top of its upper: it has to look like the directory that it stands for. */
export function likeSource(upperdir: string, source: string, { mode, uid, gid }: Pick<Stats, 'mode' | 'uid' | 'gid'> = statSync(source)): Program {
  const inside = (which: 'uids' | 'gids', id: number): number =>
    id === (which === 'uids' ? process.geteuid?.() : process.getegid?.()) ? 0 : insideId(idMapping(), which, id);
  const mapping = idMapping();
  const [owner, group] = mapping.kind === 'full' ? [inside('uids', uid), inside('gids', gid)] : [uid, gid];
  return [
    // Ids that are not mapped are nobody's.
    { op: 'fchownat', dirfd: AT_FDCWD, pathname: upperdir, owner, group, flags: 0, ignore: ['EPERM', 'EINVAL'] },
    { op: 'fchmodat', dirfd: AT_FDCWD, pathname: upperdir, mode: mode & 0o7777 },
  ];
}
