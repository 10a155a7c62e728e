import { AT_FDCWD, isOverlayMark, O, type Op, type Program, type SlotAllocator, type Walked } from '@lamella/syscall';
import { beneath, unlessGone } from '../../../filesystem/open-beneath.js';
import { openGiven } from '../../../filesystem/sources/check-sources.js';
import type { CheckedMount } from '../../../model/writable-mount.js';
import type { ContainerChange } from '../../changes.js';
import type { Session } from './session.js';

/** A directory on the way to a target: what the host has there, and what the view wrote there. */
export interface Place {
  readonly lower: Walked | undefined;
  readonly upper: Walked | undefined;
}

/** Returns the names of all directories above a name, the topmost first; that of the top is empty. */
export function namesAbove(name: string): string[] {
  const parts = name.split('/');
  return ['', ...parts.slice(1).map((_, i) => parts.slice(0, i + 1).join('/'))];
}

/** Opens a directory whose path is the caller's own. */
export function openDirectory(pathname: string, out: number): Op {
  return { op: 'openat', dirfd: AT_FDCWD, pathname, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out };
}

/**
 * Looks at the directories on the way to the changes of one view. The upper's is the topmost one there is: marks of overlayfs are seen
 * in no other way when there are states below it.
 */
export async function parentDirectoriesOf(
  session: Session,
  slots: SlotAllocator,
  view: CheckedMount,
  changes: readonly ContainerChange[],
): Promise<Map<string, Place>> {
  const places = new Map<string, Place>();
  const names = new Set(changes.flatMap(({ name }) => namesAbove(name)));
  for (const change of changes) {
    // A stack does not show the marks of what it is made of.
    if (view.frozen.length) names.add(change.name);
    // One that is a change was looked at with the others.
    else if (names.delete(change.name) || change.before?.type === 'directory')
      places.set(change.name, { lower: change.compared.lower, upper: change.compared.upper });
  }
  const tops = [view.source ?? '/', view.upperdir, ...view.frozen].map((directory) => ({ directory, slot: slots() }));
  const [{ slot: source } = { slot: -1 }, ...uppers] = tops;
  const parent = slots();
  const program: Op[] = [...openGiven(view.source ?? '/', view.given, source), ...uppers.map(({ directory, slot }) => openDirectory(directory, slot))];
  const told = new Map<number, { readonly name: string; readonly side: number }>();
  for (const name of names)
    for (const [side, { slot }] of tops.entries()) {
      const ops: Program =
        name === ''
          ? [{ op: 'statx', dirfd: slot, pathname: '' }]
          : unlessGone(beneath(slot, name, parent, (dirfd, pathname) => [{ op: 'statx', dirfd, pathname }]));
      told.set(program.length + ops.findIndex(({ op }) => op === 'statx'), { name, side });
      program.push(...ops);
    }
  const found = await session.run([...program, ...tops.map(({ slot }): Op => ({ op: 'close', fd: slot }))]);
  for (const [at, { name, side }] of told) {
    const object = found.told.get(at)?.[0];
    const known = places.get(name) ?? { lower: undefined, upper: undefined };
    if (side === 0) places.set(name, { ...known, lower: object });
    else if (object && !known.upper) places.set(name, { ...known, upper: object });
    else places.set(name, known);
  }
  return places;
}

/** Returns changes with the marks of overlayfs, which a stack of several uppers does not show. */
export function withMarks(changes: readonly ContainerChange[], places: ReadonlyMap<string, Place>): ContainerChange[] {
  return changes.map((change) => {
    const { upper } = change.compared;
    const marks = places.get(change.name)?.upper?.xattrs.filter(([name]) => isOverlayMark(name)) ?? [];
    if (!upper || !change.view.frozen.length || !marks.length) return change;
    return { ...change, compared: { ...change.compared, upper: { ...upper, xattrs: [...upper.xattrs, ...marks] } } };
  });
}
