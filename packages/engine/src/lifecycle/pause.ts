import { setFrozen } from '@lamella/cgroup';
import { cgroupName } from '../store/identifiers.js';
import { isPaused, notPaused, notRunning } from './container-errors.js';
import type { ContainerHandle } from './container-handle.js';
import { processesOf } from './processes.js';

/** @throws EngineError `CONTAINER_NOT_RUNNING`, `CONTAINER_PAUSED`; CgroupError `FREEZER_MISSING` */
export async function pauseContainer(container: ContainerHandle): Promise<void> {
  const { status, pid } = await container.state();
  if (status === 'paused') throw isPaused(container, 'pause');
  if (status !== 'running') throw notRunning(container);
  await freezeContainer(container, pid, true);
  await container.recordEvent('pause');
}

/** @throws EngineError `CONTAINER_NOT_PAUSED` */
export async function unpauseContainer(container: ContainerHandle): Promise<void> {
  const { status, pid } = await container.state();
  if (status !== 'paused') throw notPaused(container);
  await freezeContainer(container, pid, false);
  await container.recordEvent('unpause');
}

/** Freezes, or thaws, all processes of a container. @throws EngineError `CONTAINER_NOT_RUNNING`; CgroupError `FREEZER_MISSING` */
export async function freezeContainer(container: ContainerHandle, pid: number | undefined, frozen: boolean): Promise<void> {
  if (pid === undefined) throw notRunning(container);
  const processes = async (): Promise<number[]> => (await processesOf(pid)).map((each) => each.pid);
  await setFrozen({ pid, name: cgroupName(container.id, container.root), processes }, frozen);
}
