import { recover } from '../changes/apply/recover.js';
import { type CheckedSources, checkSources } from '../filesystem/sources/check-sources.js';
import { completeSources } from '../filesystem/sources/record-sources.js';
import { untouchedOf } from '../filesystem/sources/unchanged-overlays.js';
import type { ContainerHandle } from '../lifecycle/container-handle.js';
import type { WritableMount } from '../model/writable-mount.js';
import { readLayerStack, recoverCheckpoints } from './checkpoint.js';

/** Returns the writable mounts of a container as they are now, after an interrupted apply or checkpoint was finished. Their sources are not checked. */
export async function currentMounts(container: ContainerHandle): Promise<readonly [WritableMount, ...WritableMount[]]> {
  await recover(container.root);
  await container.refresh();
  await recoverCheckpoints(container.root, container.config);
  return readLayerStack(container.root, container.record, container.config).views;
}

/** Returns the host's objects of a container, if they are still what it was given. @throws EngineError `VOLUME_MOVED` */
export function checkSourcesOf({ config, directory, shownName }: ContainerHandle, views: readonly WritableMount[]): CheckedSources {
  return checkSources(completeSources(directory, config), config.spec, shownName, untouchedOf(views, config.spec));
}
