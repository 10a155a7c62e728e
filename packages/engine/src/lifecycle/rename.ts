import { unlink } from 'node:fs/promises';
import { ignoreMissing } from '@lamella/syscall';
import { EngineError } from '../model/engine-error.js';
import { removeGiven } from '../store/generated-names.js';
import { checkName } from '../store/identifiers.js';
import { nameLinkOf, takeName } from '../store/names.js';
import type { ContainerHandle } from './container-handle.js';

/** @throws EngineError `NAME_INVALID`, `CONTAINER_EXISTS` */
export async function renameContainer(container: ContainerHandle, name: string): Promise<void> {
  checkName(name);
  const { containers } = container.record;
  const { name: before } = await container.state();
  if (name === before)
    throw new EngineError({ code: 'CONTAINER_EXISTS', message: `the container already has the name '${name}'`, hint: 'Choose another name.' });
  await takeName(containers, name, container.id);
  if (before !== undefined) {
    await removeGiven(containers, before, container.id);
    await unlink(nameLinkOf(containers, before)).catch(ignoreMissing);
  }
  container.rename(name);
  await container.recordEvent('rename', name);
}
