import { lstatSync } from 'node:fs';
import { inodeOf, originOf } from '@lamella/overlay';
import { bytesOf, type Walked } from '@lamella/syscall';
import type { WritableMount } from '../../../model/writable-mount.js';
import type { ContainerChange } from '../../changes.js';
import { type Fingerprint, fingerprintOf, hasSameMetadata, isIdentical, isSince, isUntouched, looksSame } from '../inspect/fingerprint.js';
import { isCopy, looksOf } from '../inspect/hard-links.js';
import type { KnownObjects } from '../inspect/known-objects.js';
import { namesAbove, type Place } from '../inspect/parent-directories.js';
import { Directories } from '../inspect/same-directory.js';

/** What conflicts are found by, of one view. */
export interface Evidence {
  /** All changes of the view. */
  readonly changes: readonly ContainerChange[];
  readonly places: ReadonlyMap<string, Place>;
  /** When the container began, or before. */
  readonly since: Date;
  readonly known: KnownObjects;
}

/** What was found of one view. */
export interface Judged {
  readonly conflicts: readonly ContainerChange[];
  readonly directories: Directories;
}

/**
 * Returns the changes of one view whose target is not what was there when the container began, or what an apply of the same container
 * left there since. Doubt is a conflict where something of the host's would be lost; a new name in a directory loses nothing.
 */
export function judge({ changes, places, since, known }: Evidence): Judged {
  const directories = new Directories(places, since, known);
  const renamed = new Renamed(changes);
  const conflicts = changes.filter((change) => {
    const { lower } = change.compared;
    if (!wasShown(change.view, change.name, lower)) return true;
    const above = directories.above(change.name);
    if (above === 'other' || (above === 'doubt' && lower)) return true;
    const left = known.object(change.name);
    if (left === null) return lower !== undefined;
    if (left) return !lower || !(isWhatWasLeft(change, left, fingerprintOf(lower)) || (known.isFile(lower) && looksSame(left, fingerprintOf(lower))));
    if (!lower) return wasRemoved(change, since, places, renamed);
    if (change.before?.type === 'directory') {
      if (directories.itself(change.name) !== 'same') return true;
      // New names in it are reported one by one; the directory itself may have been changed before them.
      return !removes(change) && !directories.isClean(change.name);
    }
    if (isSince(fingerprintOf(lower).ctime, since)) return !known.isFile(lower);
    return isAnother(change, lower, renamed);
  });
  return { conflicts, directories };
}

/** Whether a directory goes with all that is in it. */
function removes({ kind, aspects }: ContainerChange): boolean {
  return kind === 'deleted' || aspects.includes('type');
}

/** For a directory that is removed, the names in it are compared and reported by themselves. */
function isWhatWasLeft(change: ContainerChange, left: Fingerprint, now: Fingerprint): boolean {
  if (change.before?.type !== 'directory') return isUntouched(left, now);
  return removes(change) ? isIdentical(left, now) : hasSameMetadata(left, now);
}

/** Whether the file that overlayfs copied is not the one that is there, though its times are old. */
function isAnother(change: ContainerChange, lower: Walked, renamed: Renamed): boolean {
  const { upper } = change.compared;
  const origin = upper && originOf(upper);
  return origin !== undefined && origin !== inodeOf(lower) && !renamed.has(change);
}

/** Whether the container saw what is there: where its view was put together ({@link WritableMount.compared}), some names were left out. */
function wasShown({ compared, lowerdirs }: WritableMount, name: string, lower: Walked | undefined): boolean {
  if (!compared || !lower) return true;
  const copy = Buffer.concat([bytesOf(`${lowerdirs[0]}/`), Buffer.from(name, 'latin1')]);
  return lstatSync(copy, { throwIfNoEntry: false }) !== undefined;
}

/** Whether something is new only because the host has removed what it is a copy of. */
function wasRemoved(change: ContainerChange, since: Date, places: ReadonlyMap<string, Place>, renamed: Renamed): boolean {
  const { upper } = change.compared;
  if (!upper || !isCopy(upper) || renamed.has(change) || renamed.hasOtherName(change)) return false;
  const above = namesAbove(change.name).at(-1) ?? '';
  const { lower: parent, upper: ours } = places.get(above) ?? {};
  // In a directory that the container made itself, rather than copied, the host never had anything.
  if (above !== '' && ours && !isCopy(ours)) return false;
  // A name that goes changes what it was in.
  return !parent || isSince([parent.mtimeSeconds, parent.mtimeNanoseconds], since);
}

/** Files that the container itself gave another name: they are copies, and new where they are. */
class Renamed {
  readonly #inodes = new Set<bigint>();
  /** How many files of the same looks went, and how many came: where no inode is noted, mv(1) does not change these. */
  readonly #went = new Map<string, number>();
  readonly #came = new Map<string, number>();
  /** The container's files of which a name is on the host. */
  readonly #files = new Set<string>();

  constructor(changes: readonly ContainerChange[]) {
    for (const { compared } of changes) {
      const { upper, lower } = compared;
      if (upper && !lower && isCopy(upper) && originOf(upper) === undefined) count(this.#came, looksOf(upper));
      if (!lower) continue;
      if (upper) this.#files.add(upper.inode);
      const origin = upper && originOf(upper);
      // Where something else is now, what was there can have gone to another name.
      if (!upper || origin === undefined || origin !== inodeOf(lower)) {
        this.#inodes.add(inodeOf(lower));
        count(this.#went, looksOf(lower));
      }
    }
  }

  /** Whether it is a second name of a file, under which it never was on the host. */
  hasOtherName({ after, compared: { upper } }: ContainerChange): boolean {
    return upper !== undefined && after?.type !== 'directory' && upper.links > 1 && this.#files.has(upper.inode);
  }

  has({ compared: { upper } }: ContainerChange): boolean {
    if (!upper) return false;
    const origin = originOf(upper);
    if (origin !== undefined) return this.#inodes.has(origin);
    // More that came than went: the host has removed one of them, and nobody knows which.
    const looks = looksOf(upper);
    return (this.#went.get(looks) ?? 0) >= (this.#came.get(looks) ?? 1);
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
