import type { ContainerChange } from '../../changes.js';
import { dependent } from '../inspect/hard-links.js';

const isBelow = (change: ContainerChange, top: ContainerChange): boolean => change.view === top.view && change.name.startsWith(`${top.name}/`);

/** Whether a directory of the host goes with all that is in it. */
const goesWhole = ({ kind, before, after }: ContainerChange): boolean => before?.type === 'directory' && (kind === 'deleted' || after?.type !== 'directory');

/** Whether what is in a directory can only be there when the directory is. */
const comesWhole = ({ before, after }: ContainerChange): boolean => after?.type === 'directory' && before?.type !== 'directory';

/**
 * Returns those that were chosen, the new directories which they are in, and all that is in a directory which goes. They come sorted,
 * parents before children.
 */
export function chosenOf(changes: readonly ContainerChange[], select: ((change: ContainerChange) => boolean) | undefined): ContainerChange[] {
  const found: ContainerChange[] = [];
  let parents: ContainerChange[] = [];
  let whole: ContainerChange | undefined;
  for (const change of changes) {
    parents = parents.filter((each) => isBelow(change, each));
    if (whole && !isBelow(change, whole)) whole = undefined;
    const isChosen = !select || select(change) || (whole !== undefined && change.compared.lower !== undefined);
    if (isChosen) {
      found.push(...parents, change);
      parents = [];
      if (!whole && goesWhole(change)) whole = change;
    } else if (comesWhole(change)) parents.push(change);
  }
  return found;
}

/**
 * Returns all that is left alone with some changes: what is in a new directory that is left, a directory that was to go while
 * something in it is left, the other names of a file, and the other half of a rename.
 */
export function leftWith(some: readonly ContainerChange[], all: readonly ContainerChange[]): ReadonlySet<ContainerChange> {
  const left = new Set<ContainerChange>();
  const groups = new Map<ContainerChange, (readonly ContainerChange[])[]>();
  for (const group of dependent(all)) for (const each of group) groups.set(each, [...(groups.get(each) ?? []), group]);
  const byName = new Map(all.map((change) => [`${change.view.upperdir}\0${change.name}`, change]));
  const at = new Map(all.map((change, i) => [change, i]));
  const waiting = [...some];
  for (let change = waiting.pop(); change; change = waiting.pop()) {
    if (left.has(change)) continue;
    left.add(change);
    for (const group of groups.get(change) ?? []) waiting.push(...group);
    for (let slash = change.name.lastIndexOf('/'); slash > 0; slash = change.name.lastIndexOf('/', slash - 1)) {
      const above = byName.get(`${change.view.upperdir}\0${change.name.slice(0, slash)}`);
      if (above && goesWhole(above)) waiting.push(above);
    }
    // Deletions in a directory that is left out are applied by themselves, unless they only make room for a new object.
    if (change.kind === 'deleted') continue;
    if (!comesWhole(change) && !goesWhole(change)) continue;
    for (let i = (at.get(change) ?? all.length) + 1; i < all.length; i++) {
      const below = all[i];
      if (!below || !isBelow(below, change)) break;
      waiting.push(below);
    }
  }
  return left;
}
