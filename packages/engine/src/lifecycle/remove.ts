import { setTimeout as sleep } from 'node:timers/promises';
import { releaseDead } from '@lamella/cleanup';
import { EngineError } from '../model/engine-error.js';
import { forgetDeadNames } from '../store/names.js';
import type { ContainerHandle } from './container-handle.js';
import { isAlive } from './state.js';
import { stopContainer } from './stop.js';
import { waitForMonitor } from './wait.js';

/**
 * Removes a container with everything it wrote. A running one is refused, or killed with `force`.
 *
 * @param collectStates removes the checkpoints that no container needs any more
 * @throws EngineError `CONTAINER_RUNNING`; CleanupError `CLEANUP_INCOMPLETE`
 */
export async function removeContainer(container: ContainerHandle, force: boolean, collectStates: () => Promise<void>): Promise<void> {
  const { record } = container;
  const { status, name = container.id, monitor } = await container.state();
  const refused = (message: string, hint: string): EngineError => new EngineError({ code: 'CONTAINER_RUNNING', message, hint });
  // A created container with a monitor is starting, or its end is not recorded yet.
  if (isAlive(status) || (status === 'created' && monitor !== undefined)) {
    if (!force)
      throw refused(
        `cannot remove the container ${name}: it is ${status === 'paused' ? 'paused' : 'running'}`,
        `Stop it first, or remove it by force: lamella rm -f ${name}`,
      );
    await stopContainer(container, { signal: 'SIGKILL', timeout: 2 });
  } else {
    // The monitor of an ended container may still write its record.
    await waitForMonitor(container, monitor);
  }
  let outcome = await releaseDead(record);
  // Another process may hold the gate for a moment, to create or remove another container.
  for (let tries = 0; outcome === 'alive' && tries < 100 && !isAlive((await container.state()).status); tries++) {
    await sleep(10);
    outcome = await releaseDead(record);
  }
  if (outcome === 'alive') throw refused(`cannot remove the container ${name}: it has just been started`, `Remove it by force: lamella rm -f ${name}`);
  if (outcome !== 'released') throw outcome;
  await forgetDeadNames(record.containers);
  await collectStates();
  await container.recordEvent('destroy', name);
}
