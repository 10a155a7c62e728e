import type { Walked } from '@lamella/syscall';
import { type Fingerprint, fingerprintOf, hasSameMetadata, looksSame } from './fingerprint.js';
import type { Names } from './names-by-path.js';
import { namesAbove } from './parent-directories.js';

/**
 * What applies of a container, and their undos, left on the host, by the directory of the host. An object that differs from this was
 * changed by another program or user.
 */
export type Known = readonly KnownSource[];

export interface KnownSource {
  readonly source: string;
  /** Targets, and all that is in those that came as a whole; null is one that is gone. */
  readonly objects: Names<Fingerprint | null>;
  /** Directories that targets are in: their times are ours. */
  readonly places: Names<Fingerprint>;
  /** Those of them whose permissions, owner and attributes nobody had changed. */
  readonly clean: readonly string[];
  /** Directories that may be others than the container saw. Our own work in them makes them look as if they were not. */
  readonly doubts: readonly string[];
  /** Files with other names than those that were changed: their ctime is ours. */
  readonly files: readonly Fingerprint[];
}

/** The known objects of one directory of the host: finds and adds them. */
export class KnownObjects {
  readonly #objects: Map<string, Fingerprint | null>;
  readonly #places: Map<string, Fingerprint>;
  readonly #files: Map<string, Fingerprint>;
  readonly #seen: ReadonlyMap<string, Fingerprint>;
  readonly #doubts: Set<string>;
  readonly #clean: Set<string>;
  readonly #old: ReadonlySet<string>;
  /** What some of them are in: most names have none below. */
  readonly #parents: ReadonlySet<string>;
  readonly source: string;

  /** @param seen directories as they were at the end of the container's last life, see seen-places.ts */
  constructor(known: Known, source: string, seen: Names<Fingerprint> = []) {
    this.#seen = new Map(seen);
    const found = known.find((each) => each.source === source);
    this.source = source;
    this.#objects = new Map(found?.objects);
    this.#places = new Map(found?.places);
    this.#old = new Set([...this.#objects.keys(), ...this.#places.keys()]);
    this.#parents = new Set([...this.#old].flatMap(namesAbove));
    this.#doubts = new Set(found?.doubts);
    this.#clean = new Set(found?.clean);
    this.#files = new Map(found?.files.map((file) => [file.ino, file]));
  }

  /** Returns what was left at a name: null is nothing, undefined is not known. */
  object(name: string): Fingerprint | null | undefined {
    const found = this.#objects.get(name);
    if (found !== undefined) return found;
    // Nothing is in what is gone.
    return namesAbove(name).some((above) => this.#objects.get(above) === null) ? null : undefined;
  }

  /** Returns what a directory was when a name in it was changed last. */
  place(name: string): Fingerprint | undefined {
    const left = this.#places.get(name) ?? this.#objects.get(name);
    return left === undefined ? this.#seen.get(name) : (left ?? undefined);
  }

  /** Whether a file has another ctime only because another name of it was changed. */
  isFile(object: Walked): boolean {
    const now = fingerprintOf(object);
    const left = this.#files.get(now.ino);
    return left !== undefined && looksSame(left, now);
  }

  /** Notes what is at a name now; what was known of names below it is forgotten. */
  leave(name: string, now: Fingerprint | null): void {
    this.#drop(`${name}/`);
    this.#objects.set(name, now);
  }

  /** Notes one more object, below one that was left. */
  add(name: string, now: Fingerprint): void {
    this.#objects.set(name, now);
  }

  /** Forgets a name and all below it: what is there is judged by its times. */
  forget(name: string): void {
    this.#drop(`${name}/`);
    this.#objects.delete(name);
  }

  /** Only what was known from the start can be below a name that is left now. */
  #drop(prefix: string): void {
    if (!this.#parents.has(prefix.slice(0, -1))) return;
    for (const each of this.#old) {
      if (!each.startsWith(prefix)) continue;
      this.#objects.delete(each);
      this.#places.delete(each);
    }
  }

  leavePlace(name: string, now: Fingerprint, isClean: boolean): void {
    this.#places.set(name, now);
    if (isClean) this.#clean.add(name);
    else this.#clean.delete(name);
  }

  /** Whether a directory has the permissions, owner and attributes that it had, though its times are others by our own work. */
  isClean(name: string, now: Fingerprint): boolean {
    const left = this.#places.get(name);
    return left !== undefined && this.#clean.has(name) && hasSameMetadata(left, now);
  }

  isDoubtful(name: string): boolean {
    return this.#doubts.has(name);
  }

  doubt(name: string): void {
    this.#doubts.add(name);
  }

  leaveFile(now: Fingerprint): void {
    this.#files.set(now.ino, now);
  }

  get all(): KnownSource {
    return {
      source: this.source,
      objects: [...this.#objects],
      places: [...this.#places],
      doubts: [...this.#doubts],
      clean: [...this.#clean],
      files: [...this.#files.values()],
    };
  }
}

/** Returns what is known with that of some directories replaced. */
export function knownWith(known: Known, sources: readonly KnownObjects[]): Known {
  const fresh = sources.map((each) => each.all);
  return [...known.filter(({ source }) => !fresh.some((each) => each.source === source)), ...fresh];
}
