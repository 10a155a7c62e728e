import path from 'node:path';
import { sweep as release, releaseDead, type SweepResult } from '@lamella/cleanup';
import { forgetTakenBack } from '../changes/apply/forget-applied.js';
import { recover } from '../changes/apply/recover.js';
import { collectStates } from '../checkpoints/states.js';
import type { SweepOptions } from '../model/sweep-options.js';
import { read, SWEEP_OPTIONS } from '../options/option-shapes.js';
import { defaultRoot } from '../store/default-root.js';
import { forgetDeadNames } from '../store/names.js';
import { sweepImages } from '../store/sweep-images.js';

/**
 * Releases what dead containers left in a store: their names, frozen states that no container goes back to, an
 * interrupted apply; and what commands left that were killed while they unpacked an image.
 *
 * @param root absolute path of the store. Default: {@link defaultRoot}
 * @throws EngineError `APPLY_INCOMPLETE`, `OPTION_UNKNOWN`, `OPTION_INVALID`
 *
 * @example
 * ```js
 * import { sweep } from '@lamella/engine';
 *
 * const { released, alive } = await sweep();
 * console.log(released, alive); // [] []
 * ```
 */
export async function sweep(root: string = defaultRoot(), options: SweepOptions = {}): Promise<SweepResult> {
  const { kept = false } = read('sweep(root, options)', options, SWEEP_OPTIONS);
  const containers = path.join(root, 'containers');
  const swept = await release(containers);
  const result = kept ? await withKept(containers, swept) : swept;
  await forgetDeadNames(containers);
  await recover(root);
  await forgetTakenBack(root);
  await collectStates(root);
  await sweepImages(root);
  return result;
}

async function withKept(containers: string, swept: SweepResult): Promise<SweepResult> {
  const outcomes = await Promise.all(swept.kept.map(async (id) => ({ id, outcome: await releaseDead({ containers, id }) })));
  return {
    released: [...swept.released, ...outcomes.flatMap(({ id, outcome }) => (outcome === 'released' ? [id] : []))],
    alive: [...swept.alive, ...outcomes.flatMap(({ id, outcome }) => (outcome === 'alive' ? [id] : []))],
    kept: [],
    failed: [...swept.failed, ...outcomes.flatMap(({ outcome }) => (typeof outcome === 'string' ? [] : [outcome]))],
  };
}
