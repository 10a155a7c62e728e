import type { ContainerHandle } from '../lifecycle/container-handle.js';
import { isAlive } from '../lifecycle/state.js';
import type { ContainerConfig } from '../model/container-config.js';
import { EngineError } from '../model/engine-error.js';
import { recordEvent } from '../store/events.js';
import { generateName } from '../store/generated-names.js';
import { checkName } from '../store/identifiers.js';
import { checkNotGiven, forgetDeadNames } from '../store/names.js';
import { currentState, fork, recoverCheckpoints, removeLater, rollback } from './checkpoint.js';
import { withContainerHeld } from './hold-container.js';
import { type Checkpoint, readHistory } from './states.js';

/** The checkpoints of a container. */
export interface History {
  /** The oldest first. */
  readonly checkpoints: readonly Checkpoint[];
  /** Id of the checkpoint that the container stands on now; undefined for none. */
  readonly current: string | undefined;
}

export async function historyOfContainer(container: ContainerHandle): Promise<History> {
  await container.refresh();
  const { root, directory, config, record } = container;
  const [checkpoints, frozen] = await Promise.all([readHistory(root, directory), recoverCheckpoints(root, config)]);
  return { checkpoints, current: currentState(record, frozen) };
}

/**
 * Takes a container back to a checkpoint, without what it wrote since.
 *
 * @param to id of a checkpoint, or the beginning of it; `null` for before the first; undefined for the latest
 * @returns the checkpoint; undefined for the beginning
 * @throws EngineError `CHECKPOINT_BUSY`, `CHECKPOINT_NOT_FOUND`
 */
export async function rollbackContainer(container: ContainerHandle, to: string | null | undefined): Promise<Checkpoint | undefined> {
  const { target, trash } = await withContainerHeld(container, 'roll back', async (held) => {
    if (held.copies && isAlive((await container.state()).status)) throw mustStopForRollback(container.shownName);
    const wanted = to === undefined ? currentState(held.record, held.frozen) : to;
    const found = typeof wanted === 'string' ? await findCheckpoint(container, wanted) : undefined;
    return { target: found, trash: await rollback(held, found?.id) };
  });
  removeLater(trash);
  return target;
}

/** The checkpoints of such a container are copies, not layers: what its running processes see cannot be exchanged. */
function mustStopForRollback(name: string): EngineError {
  return new EngineError({
    code: 'CHECKPOINT_BUSY',
    message: `cannot roll back the container ${name} while it is running: it sees the host's files`,
    hint: `Stop it first: lamella stop ${name}`,
  });
}

/** @param reference the beginning of an id @throws EngineError `CHECKPOINT_NOT_FOUND` */
async function findCheckpoint({ root, directory, shownName }: ContainerHandle, reference: string): Promise<Checkpoint> {
  const found = (await readHistory(root, directory)).filter(({ id }) => reference && id.startsWith(reference));
  const [only] = found;
  if (only && found.length === 1) return only;
  throw new EngineError({
    code: 'CHECKPOINT_NOT_FOUND',
    message: only ? `'${reference}' matches ${found.length} checkpoints` : `the container ${shownName} has no checkpoint '${reference}'`,
    hint: `List its checkpoints: lamella history ${shownName}`,
  });
}

/**
 * Makes containers that continue from the present state of a container, each on its own.
 *
 * @param asked how many, or the name of each
 * @throws EngineError `CHECKPOINT_BUSY`, `CONTAINER_EXISTS`, `NAME_INVALID`
 */
export async function forkContainer(container: ContainerHandle, asked: number | readonly string[]): Promise<readonly ContainerConfig[]> {
  const { containers } = container.record;
  const names = typeof asked === 'number' ? Array.from({ length: asked }, () => generateName(containers)) : asked;
  for (const name of names) checkName(name);
  await forgetDeadNames(containers);
  for (const name of names) checkNotGiven(containers, name);
  const configs = await withContainerHeld(container, 'fork', (held) => fork(held, names));
  for (const { id, image, spec } of configs) await recordEvent(containers, 'create', { id, name: spec.name, image });
  return configs;
}
