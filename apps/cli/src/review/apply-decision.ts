import type { ContainerChange, OnConflict, StoredContainer } from '@lamella/engine';
import { ChangeTally } from '../changes/change-tally.js';
import { describeTally } from '../changes/describe-change.js';
import { type Shown, text } from '../output/printable.js';
import { endBySignal } from '../terminal/job-signals.js';
import { askDecision, type Terminal } from './ask-decision.js';

/** Asks what to do with changes, and does it. Changes that are not applied stay in the container. */
export async function reviewAndApply(container: StoredContainer, changes: readonly ContainerChange[], name: string, terminal: Terminal): Promise<void> {
  const say = (line: Shown): void => terminal.output.line(line);
  const canApply = changes.some((change) => change.view.source !== undefined);
  const decision = await askDecision(container, changes, terminal, canApply);
  if (decision.do === 'keep') {
    say(`Kept. Review them again: lamella review ${name}. Apply: lamella apply ${name}. Discard: lamella discard ${name}`);
    if (decision.by) endBySignal(decision.by);
  }
  if (decision.do === 'discard') {
    await container.remove();
    say('Discarded.');
  }
  if (decision.do === 'apply') await applySelected(container, changes, decision.changes, name, say);
}

/** Applies the selected changes, and removes the container if none are left. */
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
  say(text`Applied: ${describeTally(tally)}. Undo: lamella apply --undo ${container.id}`);
  if (wanted.size === all.length && (onConflict === 'ours' || !conflicts.length)) await container.remove();
  else say(`The other changes are kept. Review them: lamella review ${name}`);
}
