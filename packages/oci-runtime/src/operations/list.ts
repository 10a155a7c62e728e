import { userInfo } from 'node:os';
import { listIds } from '../state/state-directory.js';
import { readStored, type StoredContainer, stateOf, statusOf } from '../state/stored-container.js';

/** Returns the state of every container below a root. Containers that vanish meanwhile are left out; damaged ones are warned of. */
export function listContainers(root: string, warn: (message: string) => void): Record<string, unknown>[] {
  return listIds(root).flatMap((id) => {
    try {
      const found = readStored(root, id);
      return [{ ...stateOf(found.stored, statusOf(found)), owner: nameOf(found.stored) }];
    } catch (error) {
      if ((error as { code?: string }).code === 'CONTAINER_MISSING') return [];
      if ((error as { code?: string }).code !== 'STATE_DAMAGED') throw error;
      warn((error as Error).message);
      return [];
    }
  });
}

function nameOf({ owner }: StoredContainer): string {
  if (owner === 0) return 'root';
  return owner === process.getuid?.() ? userInfo().username : `#${owner}`;
}
