import { underWay } from './program/journal.js';

/**
 * Takes back what was interrupted: an apply that did not come to its end, or removes what is left of one that did. An undo is
 * finished. Every command does this first, and it costs one readdir when there is nothing.
 *
 * @param root absolute path of the store
 * @throws EngineError `APPLY_INCOMPLETE`
 */
export async function recover(root: string): Promise<void> {
  const ids = underWay(root);
  if (!ids.length) return;
  // Every run comes by here, and hardly one finds something.
  const { recoverOne } = await import('./recover-one.js');
  for (const id of ids) await recoverOne(root, id);
}
