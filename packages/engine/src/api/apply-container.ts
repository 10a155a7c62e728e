import type { Applied, ApplyOptions } from '../changes/apply/apply.js';
import { began } from '../changes/apply/conflicts/start-time.js';
import { type ContainerChange, changesIn } from '../changes/changes.js';
import { withStopped } from '../checkpoints/checkpoint.js';
import { checkSourcesOf } from '../checkpoints/current-mounts.js';
import { checkStopped } from '../checkpoints/hold-container.js';
import { type CheckedSources, explainMoved, goneDirectory } from '../filesystem/sources/check-sources.js';
import { checkedMounts } from '../filesystem/writable-mounts.js';
import type { ContainerHandle } from '../lifecycle/container-handle.js';
import { EngineError } from '../model/engine-error.js';

/**
 * Applies a stopped container's changes in directories of the host to these, all or nothing. The container cannot be started meanwhile.
 *
 * @throws EngineError `CONTAINER_RUNNING`, `APPLY_NO_TARGET`, `APPLY_CONFLICT`, `APPLY_FAILED`, `APPLY_BUSY`
 */
export async function applyContainer(container: ContainerHandle, options: ApplyOptions): Promise<Applied> {
  await checkStopped(container, 'apply the changes of');
  await container.refresh();
  const { root, id, config, record } = container;
  return withStopped(root, config, async ({ views: all }) => {
    const sources = checkSourcesOf(container, all);
    const views = checkedMounts(all, sources).filter((view) => view.source !== undefined || view.gone !== undefined);
    if (!views.length)
      throw new EngineError({
        code: 'APPLY_NO_TARGET',
        message: `the container ${container.shownName} has no overlay volume: all of its changes are to its image`,
        hint: 'Mount directories of the host as -v DIR:/inside:overlay, or make an image of the changes: lamella commit.',
      });
    // Loaded when it is needed: a run starts faster without it.
    const [{ apply }, { readSeenPlaces }] = await Promise.all([import('../changes/apply/apply.js'), import('../changes/apply/conflicts/seen-directories.js')]);
    const applier = { root, id, since: began(config, record), seen: await readSeenPlaces(record) };
    return apply(applier, refuseGone(changesIn(views, []), options.select, sources), options).catch((error: unknown) => {
      throw explainMoved(error, sources) ?? error;
    });
  });
}

/**
 * Leaves out changes in directories that are gone.
 *
 * @throws EngineError `VOLUME_MOVED` if some of them are selected
 */
async function* refuseGone(changes: AsyncIterable<ContainerChange>, select: ApplyOptions['select'], sources: CheckedSources): AsyncGenerator<ContainerChange> {
  const refused = new Map<string, string[]>();
  for await (const change of changes) {
    const { gone } = change.view;
    if (gone === undefined) yield change;
    else if (!select || select(change)) refused.set(gone, [...(refused.get(gone) ?? []), change.path]);
  }
  for (const [gone, paths] of refused) throw goneDirectory(gone, paths, sources);
}
