import { readdirSync } from 'node:fs';
import path from 'node:path';
import { sweep as release, type SweepResult } from '@lamella/cleanup';
import { ImageStore } from '@lamella/image';
import { absent } from './absent.js';
import { forgetTakenBack } from './apply/forget.js';
import { recover } from './apply/recover.js';
import { collectStates } from './branches/states.js';
import { defaultRoot } from './default-root.js';
import { forgetDeadNames } from './names.js';

/**
 * Releases what dead containers left in a store: their names, frozen states that no container goes back to, an
 * interrupted apply; and what commands left that were killed while they unpacked an image.
 *
 * @param root absolute path of the store. Default: {@link defaultRoot}
 * @throws EngineError `APPLY_INCOMPLETE`
 */
export async function sweep(root: string = defaultRoot()): Promise<SweepResult> {
  const containers = path.join(root, 'containers');
  const result = await release(containers);
  await forgetDeadNames(containers);
  await recover(root);
  await forgetTakenBack(root);
  await collectStates(root);
  if (hasUnfinishedLayers(root)) await new ImageStore(root).sweep();
  return result;
}

/** Whether a command unpacks something now, or was killed while it did. */
function hasUnfinishedLayers(root: string): boolean {
  try {
    return readdirSync(path.join(root, 'layers')).some((name) => name.startsWith('.'));
  } catch (error) {
    absent(error as NodeJS.ErrnoException);
    return false;
  }
}
