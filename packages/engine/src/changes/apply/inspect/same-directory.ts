import { inodeOf, originOf } from '@lamella/overlay';
import { fingerprintOf, hasBirth, isIdentical, isSince, sameTime } from './fingerprint.js';
import type { KnownObjects } from './known-objects.js';
import { namesAbove, type Place } from './parent-directories.js';

/** Whether a directory is the one that the container saw. */
export type Sameness = 'same' | 'doubt' | 'other';

/**
 * Answers of each directory on the way to a target whether it is the one that was there when the container began. A
 * rename changes the directory's own ctime, and so does every name that is made in it, so a later ctime alone is in doubt. What settles it:
 * what an apply before this one left there; the time of birth; the inode that overlayfs noted when the container wrote
 * there; and the times of the directory above, in which a rename changes names, too.
 */
export class Directories {
  readonly #places: ReadonlyMap<string, Place>;
  readonly #since: Date;
  readonly #known: KnownObjects;
  readonly #found = new Map<string, Sameness>();

  constructor(places: ReadonlyMap<string, Place>, since: Date, known: KnownObjects) {
    this.#places = places;
    this.#since = since;
    this.#known = known;
  }

  /** Returns the answer for a directory alone. */
  itself(name: string): Sameness {
    let found = this.#found.get(name);
    if (found === undefined) {
      found = this.#judge(name);
      this.#found.set(name, found);
    }
    return found;
  }

  /** Whether nobody but us can have changed what a directory is itself. */
  isClean(name: string): boolean {
    const { lower } = this.#places.get(name) ?? {};
    if (!lower || this.itself(name) !== 'same') return false;
    const now = fingerprintOf(lower);
    return !isSince(now.ctime, this.#since) || this.#known.isClean(name, now);
  }

  /** Returns the worst answer for the directories above a name. */
  above(name: string): Sameness {
    let worst: Sameness = 'same';
    for (const each of namesAbove(name)) {
      const found = this.itself(each);
      if (found === 'other') return found;
      if (found === 'doubt') worst = found;
    }
    return worst;
  }

  #judge(name: string): Sameness {
    // The top itself is what the container's record names.
    if (name === '') return 'same';
    const { lower, upper } = this.#places.get(name) ?? {};
    // One that is gone, or is not a directory any more, is reported as a change by itself.
    if (!lower) return 'same';
    const now = fingerprintOf(lower);
    const left = this.#known.place(name);
    if (left) return isIdentical(left, now) ? 'same' : 'other';
    if (!isSince(now.ctime, this.#since)) return 'same';
    if (hasBirth(now) && isSince(now.btime, this.#since)) return 'other';
    const origin = upper && originOf(upper);
    if (origin !== undefined) {
      if (origin !== inodeOf(lower)) return 'other';
      // An inode's number is given to the next one, which is younger.
      if (hasBirth(now)) return 'same';
    }
    if (this.#known.isDoubtful(name)) return 'doubt';
    // Its last change was not to a name in it: it may have been a rename.
    if (!sameTime(now.ctime, now.mtime)) return 'doubt';
    const above = this.#places.get(namesAbove(name).at(-1) ?? '')?.lower;
    return above && !isSince([above.mtimeSeconds, above.mtimeNanoseconds], this.#since) ? 'same' : 'doubt';
  }
}
