import { lstatSync, type Stats, statSync } from 'node:fs';
import { isOriginMark, type Walked } from '@lamella/syscall';
import type { ContainerChange } from '../containers/changes.js';
import type { View } from '../views.js';
import type { Known } from './journal.js';
import { isSame } from './steps.js';

/**
 * Changes whose target the host has changed since the container began. What the kernel says of that is the
 * target's ctime, which nobody can set; a directory's counts only where the directory itself is to change, for
 * each name made in it changes it, too. What the host removed is told by the container's copy, on which overlayfs noted that it is one.
 *
 * @param known what an apply before this one left there, and is not somebody else's
 */
export function conflictsIn(changes: readonly ContainerChange[], since: Date, known: Known = {}): ContainerChange[] {
  const renamed = new Renamed(changes);
  return changes.filter((change) => {
    const { kind, aspects, view, name, before, compared } = change;
    const { lower } = compared;
    if (!wasShown(view, name, lower)) return true;
    if (!lower) return !known[view.source ?? ''] && wasRemoved(change, since, renamed);
    const changed = lower.ctimeSeconds * 1000 + lower.ctimeNanoseconds / 1e6;
    if (changed <= since.getTime()) return false;
    // Names that came into it are told of one by one.
    if (before?.type === 'directory' && (kind === 'deleted' || aspects.includes('type'))) return false;
    const left = known[view.source ?? '']?.[name];
    return !(left && isSame(left, lower));
  });
}

/** Whether the container saw what is there: where its view was put together ({@link View.compared}), some names were left out. */
function wasShown({ compared, lowerdirs }: View, name: string, lower: Walked | undefined): boolean {
  if (!compared || !lower) return true;
  const copy = Buffer.concat([Buffer.from(`${lowerdirs[0]}/`), Buffer.from(name, 'latin1')]);
  return lstatSync(copy, { throwIfNoEntry: false }) !== undefined;
}

/** Whether something is new only because the host has removed what it is a copy of. */
function wasRemoved(change: ContainerChange, since: Date, renamed: Renamed): boolean {
  const { compared, name, view } = change;
  const { upper } = compared;
  // Who links a file gives it another name, under which it was never on the host.
  if (!upper || !isCopy(upper) || (change.after?.type !== 'directory' && upper.links > 1)) return false;
  if (renamed.has(change)) return false;
  const above = Buffer.from(name.slice(0, Math.max(0, name.lastIndexOf('/'))), 'latin1');
  let parent: Stats;
  try {
    parent = statSync(Buffer.concat([Buffer.from(`${view.source}/`), above]));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES') return false;
    if (code === 'ENOENT' || code === 'ENOTDIR') return true;
    throw error;
  }
  // A name that goes changes what it was in.
  return parent.ctimeMs > since.getTime();
}

/** Copied up from a lower (ovl_set_origin): with a handle of what it was where there can be one, else empty. */
function isCopy({ xattrs }: Walked): boolean {
  return xattrs.some(([name]) => isOriginMark(name));
}

/** Files that the container itself gave another name: they are copies, and new where they are. */
class Renamed {
  /** Size and time of files that it removed: mv(1) changes neither. */
  readonly #gone: ReadonlySet<string>;
  readonly #known = new Set<ContainerChange>();

  constructor(changes: readonly ContainerChange[]) {
    const byPath = new Map(changes.filter(({ kind }) => kind !== 'deleted').map((change) => [change.path, change]));
    for (const change of changes) {
      if (change.renamed === undefined) continue;
      const other = change.kind === 'deleted' ? byPath.get(change.renamed) : change;
      if (other) this.#known.add(other);
    }
    this.#gone = new Set(changes.flatMap(({ kind, compared: { lower } }) => (kind === 'deleted' && lower ? [looksOf(lower)] : [])));
  }

  has(change: ContainerChange): boolean {
    const { upper } = change.compared;
    return this.#known.has(change) || (upper !== undefined && this.#gone.has(looksOf(upper)));
  }
}

function looksOf({ size, mtimeSeconds, mtimeNanoseconds, mode }: Walked): string {
  return [mode, size, mtimeSeconds, mtimeNanoseconds].join();
}
