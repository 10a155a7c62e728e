import { type CommitOptions, type CommittedImage, ImageStore, sourceDateEpoch } from '@lamella/image';
import { layerOf } from '../changes/layer-archive.js';
import { currentMounts } from '../checkpoints/current-mounts.js';
import type { ContainerHandle } from '../lifecycle/container-handle.js';
import { pauseContainer, unpauseContainer } from '../lifecycle/pause.js';
import { EngineError } from '../model/engine-error.js';

/**
 * Makes an image of a container: its image, and a layer of what it changed; with checkpoints, a layer for each of them.
 *
 * @param pause whether a running container is paused meanwhile
 * @throws EngineError `COMMIT_NO_IMAGE`; ImageError `REFERENCE_INVALID`, `CONFIG_CHANGE_INVALID`
 */
export async function commitContainer(container: ContainerHandle, name: string, pause: boolean, options: CommitOptions): Promise<CommittedImage> {
  const { digest } = container.config.lowers;
  if (digest === undefined)
    throw new EngineError({
      code: 'COMMIT_NO_IMAGE',
      message: `cannot commit the container ${container.shownName}: it has no image in the store`,
      hint: 'Export its files, and import them as an image: lamella export, lamella import.',
    });
  const [top] = await currentMounts(container);
  const { status } = await container.state();
  const pauses = pause && status === 'running';
  if (pauses) await pauseContainer(container);
  try {
    const layers = [...top.frozen.toReversed(), top.upperdir].map((upper) => () => layerOf(upper, top.files, options.timestamp ?? sourceDateEpoch()));
    return await new ImageStore(container.root).commit(digest, layers, name, { createdBy: container.config.args.join(' '), ...options });
  } finally {
    if (pauses) await unpauseContainer(container);
  }
}
