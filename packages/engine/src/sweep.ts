import path from 'node:path';
import { sweep as release, type SweepResult } from '@lamella/cleanup';
import { forgetTakenBack } from './apply/forget.js';
import { recover } from './apply/recover.js';
import { collectStates } from './branches/states.js';
import { defaultRoot } from './default-root.js';
import { forgetDeadNames } from './names.js';
import { sweepImages } from './sweep-images.js';

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
  await sweepImages(root);
  return result;
}
