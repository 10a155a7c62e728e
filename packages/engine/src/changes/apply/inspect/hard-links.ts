import { inodeOf, originOf } from '@lamella/overlay';
import { isOriginMark, type Walked } from '@lamella/syscall';
import type { ContainerChange } from '../../changes.js';
import { fingerprintOf, restOf } from './fingerprint.js';

/** Whether an object was copied up from a lower (ovl_set_origin): overlayfs notes what it is a copy of, or that it is one. */
export function isCopy({ xattrs }: Walked): boolean {
  return xattrs.some(([name]) => isOriginMark(name));
}

/** Whether only the names of a file changed, see {@link ChangesOptions.otherNames} of @lamella/overlay. */
export const isOnlyLinks = ({ aspects }: ContainerChange): boolean => aspects.length === 1 && aspects[0] === 'links';

const isDirectory = ({ after }: ContainerChange): boolean => after?.type === 'directory';

/**
 * Returns the host's inode that a changed file is, or was. Where the host had linked it overlayfs notes nothing: then it is that of the name, or
 * that of a name which went and looked the same to the nanosecond, as after mv(1).
 */
function hostInode({ compared: { upper, lower } }: ContainerChange, gone: ReadonlyMap<string, bigint>): bigint | undefined {
  const origin = upper && originOf(upper);
  if (origin !== undefined) return origin;
  if (lower) return !upper || lower.links > 1 || isCopy(upper) ? inodeOf(lower) : undefined;
  return upper && gone.get(looksOf(upper));
}

/** Returns the inodes of linked files of the host of which a name went, by what they look like. */
function goneFiles(changes: readonly ContainerChange[]): ReadonlyMap<string, bigint> {
  return new Map(
    changes.flatMap(({ kind, before, compared: { lower } }) =>
      kind === 'deleted' && lower && before?.type !== 'directory' && lower.links > 1 ? [[looksOf(lower), inodeOf(lower)] as const] : [],
    ),
  );
}

/** Returns the names of the container's file, if some of them are not among the changes: the same file has other names. */
export function hasHiddenNames(changes: readonly ContainerChange[]): boolean {
  const seen = new Map<string, { links: number; names: number }>();
  for (const change of changes) {
    const { upper } = change.compared;
    if (!upper || isDirectory(change) || upper.links < 2) continue;
    const file = seen.get(upper.inode) ?? { links: upper.links, names: 0 };
    file.names++;
    seen.set(upper.inode, file);
  }
  return [...seen.values()].some(({ links, names }) => names < links);
}

/** Files of one view that overlayfs made several of, and that may be one again: the host linked them. */
export function linkedBefore(changes: readonly ContainerChange[]): readonly (readonly ContainerChange[])[] {
  const groups = new Map<bigint, ContainerChange[]>();
  const gone = goneFiles(changes);
  for (const change of changes) {
    const { upper } = change.compared;
    if (!upper || isDirectory(change) || isOnlyLinks(change)) continue;
    const inode = hostInode(change, gone);
    if (inode !== undefined) groups.set(inode, [...(groups.get(inode) ?? []), change]);
  }
  return [...groups.values()].filter((group) => new Set(group.map(({ compared }) => compared.upper?.inode)).size > 1);
}

/** Returns what two files must have in common to be one, except their content. */
function stateOf(upper: Walked): string {
  return [upper.mode, upper.uid, upper.gid, upper.size, restOf(upper)].join();
}

/** Returns a digest of a file's content. */
export type ContentOf = (change: ContainerChange) => string | undefined;

/** Which of the names that are changed in one view belong to one file after it. */
export class Links {
  readonly #source = new Map<ContainerChange, ContainerChange>();
  readonly #anchors: ReadonlyMap<string, string>;

  /**
   * @param changes those of one view, also those that are only of links
   * @param contentOf known for those of {@link linkedBefore}
   */
  constructor(changes: readonly ContainerChange[], contentOf: ContentOf) {
    this.#anchors = new Map(changes.filter(isOnlyLinks).map(({ name, compared }) => [compared.upper?.inode ?? '', name]));
    const first = new Map<string, ContainerChange>();
    for (const change of changes) {
      const { upper } = change.compared;
      if (!upper || isDirectory(change) || isOnlyLinks(change)) continue;
      const same = upper.links > 1 ? (first.get(upper.inode) ?? change) : change;
      first.set(upper.inode, same);
      this.#source.set(change, same);
    }
    for (const group of linkedBefore(changes)) {
      const alike = new Map<string, ContainerChange>();
      for (const change of group) {
        const upper = change.compared.upper;
        const content = contentOf(change);
        if (!upper || content === undefined) continue;
        const state = `${stateOf(upper)},${content}`;
        const other = alike.get(state);
        // The later of two times is that of the last change.
        if (!other || isLater(upper, other.compared.upper)) alike.set(state, change);
      }
      for (const change of group) {
        const upper = change.compared.upper;
        const source = upper && alike.get(`${stateOf(upper)},${contentOf(change)}`);
        if (source) this.#join(change, source);
      }
    }
  }

  #join(change: ContainerChange, source: ContainerChange): void {
    const before = this.sourceOf(change);
    const target = this.sourceOf(source);
    for (const [each, own] of this.#source) if (own === before) this.#source.set(each, target);
  }

  /** Returns the change whose file in the view stands for this one. */
  sourceOf(change: ContainerChange): ContainerChange {
    return this.#source.get(change) ?? change;
  }

  /** Returns the name of a file of the host that this name is to be linked to. */
  anchorOf({ compared: { upper } }: ContainerChange): string | undefined {
    return upper && upper.links > 1 ? this.#anchors.get(upper.inode) : undefined;
  }
}

function isLater(a: Walked, b: Walked | undefined): boolean {
  return !b || a.mtimeSeconds > b.mtimeSeconds || (a.mtimeSeconds === b.mtimeSeconds && a.mtimeNanoseconds > b.mtimeNanoseconds);
}

/** Groups of changes of which none can be done without the others: names of one file, and the two halves of a rename. */
export function dependent(changes: readonly ContainerChange[]): readonly (readonly ContainerChange[])[] {
  const groups = new Map<string, ContainerChange[]>();
  const put = (key: string, change: ContainerChange): void => void groups.set(key, [...(groups.get(key) ?? []), change]);
  const gone = goneFiles(changes);
  const moved: ContainerChange[] = [];
  for (const change of changes) {
    const { upper } = change.compared;
    const at = change.view.upperdir;
    if ((upper && isDirectory(change)) || (!upper && change.before?.type === 'directory')) continue;
    const inode = hostInode(change, gone);
    if (inode !== undefined) put(`${at} host ${inode}`, change);
    if (upper && upper.links > 1) put(`${at} upper ${upper.inode}`, change);
    // Where overlayfs notes no inode a file that moved looks as it did.
    if (upper && change.kind === 'added' && isCopy(upper) && originOf(upper) === undefined) moved.push(change);
  }
  const byLooks = new Map<string, ContainerChange[]>();
  if (moved.length)
    for (const change of changes) {
      const { lower } = change.compared;
      if (lower && change.kind === 'deleted' && change.before?.type !== 'directory')
        byLooks.set(looksOf(lower), [...(byLooks.get(looksOf(lower)) ?? []), change]);
    }
  for (const change of moved) {
    const { upper } = change.compared;
    for (const other of (upper && byLooks.get(looksOf(upper))) ?? [])
      for (const each of [change, other]) put(`${change.view.upperdir} looks ${upper && looksOf(upper)}`, each);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

/** Returns what mv(1) does not change of a file. */
export function looksOf(object: Walked): string {
  const { mode, size, mtime, rest } = fingerprintOf(object);
  return [mode, size, ...mtime, rest].join();
}
