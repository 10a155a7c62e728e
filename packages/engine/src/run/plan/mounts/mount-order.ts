import type { ImageConfig } from '@lamella/image';
import { confiningPlaceOf, confiningPlaces, DEFAULT_MOUNTS, type FileMount, type Mount, normalizedPath } from '@lamella/namespace';
import { EngineError } from '../../../model/engine-error.js';
import type { RunSpec } from '../../../model/run-spec.js';

/** What is mounted in the root of a container, from where it comes. */
export interface MountParts {
  /** What stands between it and the kernel, in order. */
  readonly confining: readonly Mount[];
  /** `/etc/hosts` and the like. */
  readonly files: readonly FileMount[];
  /** What the image, or the user, calls a volume without saying what is in it. */
  readonly own: readonly string[];
  readonly asked: readonly Mount[];
}

/**
 * Returns all mounts of a container in their order: what confines comes first, then the rest, directories before what is in them, whatever the order in
 * which they were asked for (as Docker). A mount that was asked for takes the place of a file or an own directory at its destination.
 *
 * @throws EngineError `VOLUME_INVALID` for two at one place
 */
export function containerMounts({ confining, files, own, asked }: MountParts): readonly Mount[] {
  const taken = new Set<string>();
  for (const { destination } of asked) {
    const at = normalizedPath(destination);
    if (taken.has(at))
      throw new EngineError({
        code: 'VOLUME_INVALID',
        message: `two mounts have the same destination ${at}`,
        hint: 'Give each mount another destination, and choose between a volume and a tmpfs.',
      });
    taken.add(at);
  }
  const places = [...taken];
  const shown = files
    .filter(({ destination }) => !taken.has(destination))
    // Makes a file that is missing in a volume, as Docker does; leaves it out in a read-only one.
    .map((file): Mount => (confiningPlaceOf(file.destination, places) === undefined ? file : { ...file, optional: true }));
  const owned = own.filter((each) => confiningPlaceOf(each, places) === undefined).map((destination): Mount => ({ type: 'own', destination }));
  return [...confining, ...[...owned, ...shown, ...asked].toSorted((a, b) => depthOf(a) - depthOf(b))];
}

function depthOf({ destination }: Mount): number {
  return normalizedPath(destination).split('/').length;
}

/** Returns what an image calls its volumes, and a container shows as the filesystem of the kernel's that it is. */
export function ignoredVolumes({ volumes = [] }: ImageConfig): readonly string[] {
  const places = confiningPlaces(DEFAULT_MOUNTS);
  return [...new Set(volumes.map(normalizedPath))].filter((each) => each !== '/' && confiningPlaceOf(each, places) !== undefined);
}

/**
 * What an image, or a user, calls volumes without a source: with Docker they get a place beside the container, with us the
 * container's own upper is one. Only a read-only root makes a difference: they stay writable. What is a filesystem of the
 * kernel's stays that, even if the image declares a volume there: images of systemd call /sys/fs/cgroup a volume.
 */
export function ownVolumes({ volumes = [] }: ImageConfig, { anonymousVolumes = [] }: Pick<RunSpec, 'anonymousVolumes'>, confining: readonly Mount[]): string[] {
  const places = confiningPlaces(confining);
  const image = volumes.map(normalizedPath).filter((each) => each !== '/' && confiningPlaceOf(each, places) === undefined);
  return [...new Set([...image, ...anonymousVolumes.map(normalizedPath)])];
}
