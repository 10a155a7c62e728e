import { sweep } from '@lamella/cleanup';
import { CONDITION, observedReads, unobserved } from '@lamella/syscall';
import { recover } from '../changes/apply/recover.js';
import type { RunSpec } from '../model/run-spec.js';
import { EVENTS_LIMIT, rotateEvents } from '../store/events.js';
import { forgetDeadNames } from '../store/names.js';
import { prepareRoot } from '../store/prepare-root.js';
import { sweepImages } from '../store/sweep-images.js';

/** Makes the places that containers need, and releases what dead ones left. */
export async function prepareStore(root: string, { name }: Pick<RunSpec, 'name'> = {}): Promise<void> {
  prepareRoot(root);
  // The launcher looks for the same before it starts a container from a record.
  observedReads()?.add({ kind: CONDITION.READY, name: root, numbers: [BigInt(EVENTS_LIMIT)], text: '' });
  await unobserved(() => mend(root, name));
}

/** Takes back or removes what commands left that were killed. */
async function mend(root: string, name: string | undefined): Promise<void> {
  await recover(root);
  rotateEvents(`${root}/containers`);
  const { released } = await sweepNow(`${root}/containers`);
  // Each name costs a look: only a run that takes a name, or that has just released a container, looks at them.
  if (name !== undefined || released.length) await forgetDeadNames(`${root}/containers`);
  await sweepImages(root);
}

/** When this process swept a store last, and how long that took, in milliseconds. */
const swept = new Map<string, { readonly at: number; readonly took: number }>();
/** Of the time of a process that starts one container after the other, sweeping takes this part at the most. */
const SWEEPING = 1 / 20;

/** Where a thousand live, a look at all of them takes as long as half a start: then not every start pays for it. */
async function sweepNow(containers: string): Promise<{ readonly released: readonly string[] }> {
  const last = swept.get(containers);
  const began = performance.now();
  if (last && began - last.at < last.took / SWEEPING) return { released: [] };
  const result = await sweep(containers);
  const now = performance.now();
  // Where some had died more may.
  if (result.released.length || result.failed.length) swept.delete(containers);
  else swept.set(containers, { at: now, took: now - began });
  return result;
}
