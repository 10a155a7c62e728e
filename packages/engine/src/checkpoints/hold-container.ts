import { usesFuse } from '../filesystem/uses-fuse.js';
import { isOfWorkspace, mustBeStopped } from '../lifecycle/container-errors.js';
import type { ContainerHandle } from '../lifecycle/container-handle.js';
import { freezeContainer } from '../lifecycle/pause.js';
import { isAlive } from '../lifecycle/state.js';
import { type Branching, withStopped } from './checkpoint.js';
import { LONG, readFrozen } from './states.js';

/** Ids of containers whose checkpoints this process is squashing. */
const squashing = new Set<string>();

/**
 * Holds a container, and changes its upper directories: a stopped one by its lock, a running one by stopping its processes for a moment.
 *
 * @param action what cannot be done if the container starts just then: `fork`
 * @throws EngineError `NOT_DETACHABLE`, `CONTAINER_RUNNING`, `CHECKPOINT_BUSY`
 */
export async function withContainerHeld<Result>(container: ContainerHandle, action: string, work: (held: Branching) => Promise<Result>): Promise<Result> {
  await container.refresh();
  const { root, config } = container;
  const { workspace } = config.spec;
  if (workspace !== undefined) throw isOfWorkspace(workspace);
  const { status, pid } = await container.state();
  let result: Result;
  if (pid === undefined || !isAlive(status)) {
    await checkStopped(container, action);
    result = await withStopped(root, config, work);
  } else {
    const { withPaused } = await import('./checkpoint-paused.js');
    result = await withPaused(root, config, pid, () => holdProcesses(container, pid, status === 'paused'), work);
  }
  squashLater(container);
  return result;
}

/** @param action what cannot be done with a running container: `apply` @throws EngineError `CONTAINER_RUNNING` */
export async function checkStopped(container: ContainerHandle, action: string): Promise<void> {
  const { status, name } = await container.state();
  if (isAlive(status)) throw mustBeStopped(name ?? container.id, action);
}

/** Merges all checkpoints below a container but the latest; see {@link StoredContainer.squash}. */
export async function squashContainer({ root, config, directory }: ContainerHandle): Promise<void> {
  const { squash } = await import('./squash.js');
  await squash(root, readFrozen(root, directory), usesFuse(config.ids, root));
}

/** Squashes in the background. A failure is ignored: the next checkpoint tries again, until there are too many of them. */
function squashLater(container: ContainerHandle): void {
  const { id, root, directory } = container;
  if (squashing.has(id) || readFrozen(root, directory).length <= LONG) return;
  squashing.add(id);
  setImmediate(() => {
    void squashContainer(container)
      .catch(() => undefined)
      .finally(() => squashing.delete(id));
  });
}

/** Stops the processes of a container until disposed. A paused container stays paused. */
async function holdProcesses(container: ContainerHandle, pid: number, paused: boolean): Promise<AsyncDisposable> {
  if (paused) return { [Symbol.asyncDispose]: async () => undefined };
  try {
    await freezeContainer(container, pid, true);
  } catch (error) {
    if ((error as { code?: string }).code === 'FREEZER_MISSING') {
      const { holdBySignals } = await import('./checkpoint-paused.js');
      return holdBySignals(pid);
    }
    throw error;
  }
  return { [Symbol.asyncDispose]: () => freezeContainer(container, pid, false) };
}
