import type { ContainerChange, OnConflict, StoredContainer } from '@lamella/engine';
import { ChangeTally } from '../changes/change-tally.js';
import { describeTally } from '../changes/describe-change.js';
import { type Shown, text } from '../output/printable.js';
import { endBySignal } from '../terminal/job-signals.js';
import { askDecision, type Terminal } from './ask-decision.js';

/** Ask somebody about changes, and do what was decided. What is not applied of some that are stays in the container. */
export async function reviewAndApply(container: StoredContainer, changes: readonly ContainerChange[], name: string, terminal: Terminal): Promise<void> {
  const say = (line: Shown): void => terminal.output.line(line);
  const canApply = changes.some((change) => change.view.source !== undefined);
  const decision = await askDecision(container, changes, terminal, canApply);
  if (decision.do === 'keep') {
    say(`Kept: lamella review ${name} asks again, lamella apply ${name} applies them, lamella discard ${name} throws them away.`);
    if (decision.by) endBySignal(decision.by);
  }
  if (decision.do === 'discard') {
    await container.remove();
    say('Thrown away.');
  }
  if (decision.do === 'apply') await applySelected(container, changes, decision.changes, name, say);
}

/** Apply some changes, and remove the container when nothing is left in it. */
export async function applySelected(
  container: StoredContainer,
  all: readonly ContainerChange[],
  wanted: ReadonlySet<ContainerChange>,
  name: string,
  say: (line: Shown) => void,
  onConflict: OnConflict = 'fail',
): Promise<void> {
  const key = ({ kind, path }: ContainerChange): string => `${kind} ${path}`;
  const keys = new Set([...wanted].map(key));
  const { changes, conflicts } = await container.apply({ select: (change) => keys.has(key(change)), onConflict });
  const tally = new ChangeTally();
  for (const change of changes) tally.add(change);
  say(text`Applied: ${describeTally(tally)}. To take it back: lamella apply --undo ${container.id}`);
  if (wanted.size === all.length && (onConflict === 'ours' || !conflicts.length)) await container.remove();
  else say(`The others are kept: lamella review ${name}`);
}
