import type { ContainerChange } from '../containers/changes.js';
import type { Known } from './journal.js';
import { isSame } from './steps.js';

/**
 * Changes whose target the host has changed since the container began. What the kernel says of that is the
 * target's ctime, which nobody can set; a directory's counts only where the directory itself is to change, for
 * each name made in it changes it, too.
 *
 * @param known what an apply before this one left there, and is not somebody else's
 */
export function conflictsIn(changes: readonly ContainerChange[], since: Date, known: Known = {}): ContainerChange[] {
  return changes.filter((change) => {
    const { kind, aspects, view, name, before, compared } = change;
    const { lower } = compared;
    if (!lower) return false;
    const changed = lower.ctimeSeconds * 1000 + lower.ctimeNanoseconds / 1e6;
    if (changed <= since.getTime()) return false;
    // Names that came into it are told of one by one.
    if (before?.type === 'directory' && (kind === 'deleted' || aspects.includes('type'))) return false;
    const left = known[view.source ?? '']?.[name];
    return !(left && isSame(left, lower));
  });
}
