import path from 'node:path';
import { sweep as release, type SweepResult } from '@lamella/cleanup';
import { forgetTakenBack } from './apply/forget.js';
import { recover } from './apply/recover.js';
import { collectStates } from './branches/states.js';
import { forgetDeadNames } from './names.js';

/**
 * Release what dead containers left: their names, frozen states that none goes back to, an apply that was interrupted.
 *
 * @param containers absolute path of the directory of all containers
 */
export async function sweep(containers: string): Promise<SweepResult> {
  const result = await release(containers);
  await forgetDeadNames(containers);
  const root = path.dirname(containers);
  await recover(root);
  await forgetTakenBack(root);
  await collectStates(root);
  return result;
}
