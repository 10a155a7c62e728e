import { sweep as release, type SweepResult } from '@lamella/cleanup';
import { forgetDeadNames } from './names.js';

/**
 * Release what dead containers left, their names included.
 *
 * @param containers absolute path of the directory of all containers
 */
export async function sweep(containers: string): Promise<SweepResult> {
  const result = await release(containers);
  await forgetDeadNames(containers);
  return result;
}
