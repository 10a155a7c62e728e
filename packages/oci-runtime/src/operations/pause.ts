import { setCgroupFrozen } from '@lamella/cgroup';
import { lockFile } from '@lamella/syscall';
import { OciError } from '../errors/oci-error.js';
import { readStored, statusOf } from '../state/stored-container.js';

/** Pauses all processes of a container, or resumes them. @throws OciError `CONTAINER_NOT_RUNNING`, `CONTAINER_NOT_PAUSED` */
export async function pauseContainer(root: string, id: string, paused: boolean): Promise<void> {
  const found = readStored(root, id);
  await using _lock = await lockFile(found.directory.lock, { create: false });
  const status = statusOf(found);
  if (paused && status !== 'running' && status !== 'created')
    throw new OciError({ code: 'CONTAINER_NOT_RUNNING', message: `cannot pause container ${id}: container not running`, hint: `Its status is ${status}.` });
  if (!paused && status !== 'paused')
    throw new OciError({ code: 'CONTAINER_NOT_PAUSED', message: `cannot resume container ${id}: container not paused`, hint: `Its status is ${status}.` });
  await setCgroupFrozen(found.stored.cgroup, paused);
}
