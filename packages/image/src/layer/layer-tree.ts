import { bytesOf, textOf } from '@lamella/syscall';
import { IMAGE_BOUNDS } from '../model/image-bounds.js';
import { ImageError } from '../model/image-error.js';
import type { LowerNames } from '../model/lower-names.js';
import type { TarEntry } from '../tar/entry.js';

/** What aufs called the books that it kept at the top of a layer. They mean nothing here (Docker's archive.WhiteoutMetaPrefix). */
export const BOOKS = '.wh..wh.';

/** A directory that the layer lists: what it gets after its children. */
export interface ListedDirectory {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly xattrs: ReadonlyMap<string, Buffer> | undefined;
  /** It was listed or created before, so its mode is not what mkdir gave it. */
  readonly again: boolean;
}

/**
 * What is known of a layer's tree while its entries come: Docker's semantics without the ops. A later entry replaces an earlier one of its
 * name, directories are merged, and whiteouts hide names of the layers below only (OCI image-spec, layer.md, "Whiteouts"). Names are
 * bytes as latin1; everything that leaves this class is text.
 */
export class LayerTree {
  readonly #directories = new Map<string, ListedDirectory>();
  readonly #implied = new Set<string>();
  readonly #whiteouts = new Set<string>();
  readonly #opaques = new Set<string>();
  /** Whited out and created again: such a directory has nothing of the one below, not even its owner. */
  readonly #replaced = new Set<string>();
  /** Directories in which aufs kept its books. Other names may be links to what is in them. */
  readonly #books = new Set<string>();
  readonly #lowerOthers: ReadonlySet<string>;
  /** Bytes of names and attributes that are kept until the end, and of those that are noted. */
  #kept = 0;
  #noted = 0;
  #lastParent = '';

  constructor(lowerNames?: LowerNames) {
    for (const name of lowerNames?.directories ?? []) this.#implied.add(bytesOf(name).toString('latin1'));
    this.#lowerOthers = new Set(lowerNames?.others.map((name) => bytesOf(name).toString('latin1')));
  }

  /** Returns the directories above a path that the layer has not listed yet, the topmost first, and notes that they are implied. */
  missingParents(path: string): readonly string[] {
    const missing: string[] = [];
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const parent = path.slice(0, slash);
      if (parent === this.#lastParent || this.#directories.has(parent) || this.#implied.has(parent)) break;
      missing.push(parent);
    }
    for (const parent of missing.reverse()) {
      this.#implied.add(parent);
      this.note(parent.length);
      this.#lastParent = parent;
    }
    return missing;
  }

  /** Notes an entry that is not a directory. What was a directory by that name is not finished later. */
  replace(path: string): void {
    if (this.#directories.has(path) || this.#implied.has(path) || this.#opaques.has(path)) this.#forget(path);
  }

  /** Notes an entry of aufs' books. */
  book(path: string): void {
    const [top = ''] = path.split('/', 1);
    this.#books.add(top);
  }

  /** Notes a directory that the layer lists. Returns whether it must be created. */
  directory(path: string, { mode, uid, gid, mtimeSeconds, mtimeNanoseconds, xattrs }: TarEntry): boolean {
    const isListed = this.#directories.has(path);
    const again = path === '' || isListed || this.#implied.delete(path);
    this.#kept += path.length + 16;
    for (const [name, value] of xattrs ?? []) this.#kept += name.length + value.length;
    this.#directories.set(path, { mode, uid, gid, seconds: mtimeSeconds, nanoseconds: mtimeNanoseconds, xattrs, again });
    return !isListed && path !== '';
  }

  opaque(path: string): void {
    this.#opaques.add(path);
    this.note(path.length);
  }

  whiteout(path: string): void {
    this.#whiteouts.add(path);
    this.note(path.length);
  }

  /** Counts the memory of a name that is kept. */
  note(bytes: number): void {
    // What a name costs beside its bytes.
    this.#noted += bytes + 16;
  }

  /** Checks the limits, between entries: the reader limits what one entry adds. @throws ImageError `LAYER_TOO_LARGE` */
  checkBounds(): void {
    const what =
      this.#noted > IMAGE_BOUNDS.notes
        ? `${IMAGE_BOUNDS.notes} bytes of names of whiteouts, of directories that it does not list, and of links to what it does not have`
        : this.#kept > IMAGE_BOUNDS.directories
          ? `${IMAGE_BOUNDS.directories} bytes of names and attributes of directories`
          : undefined;
    if (what)
      throw new ImageError({ code: 'LAYER_TOO_LARGE', message: `the archive has more than ${what}`, hint: 'It is made to do damage; nothing of it was kept.' });
  }

  /** Returns the names of aufs' books, and forgets what is in them. */
  takeBooks(): readonly string[] {
    for (const name of this.#books) this.#forget(name);
    return [...this.#books];
  }

  /** Yields the names to hide. A whiteout of a directory that the layer has makes that directory opaque. */
  *hiddenNames(): Generator<{ readonly path: string; readonly isSeed: boolean }> {
    for (const path of this.#whiteouts) {
      if (this.#directories.has(path) || this.#implied.has(path)) {
        this.#opaques.add(path);
        this.#replaced.add(path);
      } else yield { path, isSeed: this.#lowerOthers.has(path) };
    }
  }

  /** Yields the directories that need a mark, after {@link hiddenNames}. */
  *markedDirectories(): Generator<string> {
    // An opaque top hides only the layers below this one, and stacking leaves those out, so it needs no mark. A seed keeps the lower's mark.
    for (const path of this.#opaques) if (path !== '' && !this.#lowerOthers.has(path)) yield path;
  }

  get directories(): Iterable<readonly [path: string, directory: ListedDirectory]> {
    return this.#directories;
  }

  /** Directories that the layer needs and does not list. */
  get implied(): string[] {
    return [...this.#implied].map(nameOf);
  }

  /** Directories that hide what the layers below have in them; complete after {@link hiddenNames}. */
  get opaques(): string[] {
    return [...this.#opaques].map(nameOf);
  }

  /** Those of them that are new, and have no metadata of the layers below. */
  get replaced(): string[] {
    return [...this.#replaced].map(nameOf);
  }

  /** Directories that hold whiteouts. */
  get whiteoutDirectories(): string[] {
    const parents = new Set([...this.#whiteouts].map((name) => name.slice(0, Math.max(0, name.lastIndexOf('/')))));
    return [...parents].filter(Boolean).map(nameOf);
  }

  #forget(path: string): void {
    const below = `${path}/`;
    this.#lastParent = '';
    for (const set of [this.#directories, this.#implied, this.#opaques])
      for (const key of set.keys()) if (key === path || key.startsWith(below)) set.delete(key);
  }
}

function nameOf(bytes: string): string {
  return textOf(Buffer.from(bytes, 'latin1'));
}
