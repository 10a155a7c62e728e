import { FILE_BOUNDS, FileError, HeldFile, readLines, unfitForUpper, whiteoutFile } from '@lamella/syscall';

const MAX_LINKS = 40;

/**
 * What a directory of a stack of layers is: that of each layer which shows, the topmost first. Anything else has none.
 * Of the upper of a container that runs only the layer itself is ours, so each is held.
 */
type Merged = readonly HeldFile[];

/** The entry of the topmost layer that has it, and what it is as a directory; of a link, its target. */
interface Found {
  readonly entry: HeldFile;
  readonly below: Merged;
  readonly target?: string;
}

/**
 * The files of a root as a process in the container would see them, before there is one. Links are followed inside of the layers only, also
 * while a container exchanges what is in the topmost.
 *
 * A handful of calls on small files: done at once, for a trip to the thread pool takes longer than each.
 */
export class RootfsFiles implements Disposable {
  readonly #kept = new DisposableStack();
  readonly #layers: readonly string[];
  /** Held from the first file on. */
  #root: Merged | undefined;
  readonly #entriesOfTop = new Map<string, Found>();
  /** Whether whiteouts are files there. */
  #marksAreFiles = false;

  /** @param layers absolute host directories, the topmost first */
  constructor(layers: readonly string[]) {
    this.#layers = layers;
  }

  /**
   * Reads a file line by line.
   *
   * @param mention what a line must have in it
   * @returns no line when there is no such file
   * @throws FileError `FILE_IRREGULAR`, `FILE_TOO_LARGE`, `FILE_UNREADABLE`
   */
  *lines(file: string, mention?: string): Generator<string> {
    using kept = new DisposableStack();
    const held = this.#hold(file, kept);
    if (held) yield* readLines({ held, name: file }, FILE_BOUNDS.users, mention);
  }

  [Symbol.dispose](): void {
    this.#kept.dispose();
    this.#entriesOfTop.clear();
    this.#root = undefined;
  }

  #hold(file: string, kept: DisposableStack): HeldFile | undefined {
    try {
      return this.#follow(file, kept);
    } catch (error) {
      throw FileError.of(file, error as NodeJS.ErrnoException);
    }
  }

  /** Holds what a path leads to, component by component: the way back (`..`) is the one that was taken. */
  #follow(file: string, kept: DisposableStack): HeldFile | undefined {
    const way: Merged[] = [this.#top()];
    let at: HeldFile | undefined;
    let pending = components(file);
    for (let links = 0; pending.length; ) {
      const [name, ...rest] = pending as [string, ...string[]];
      pending = rest;
      if (at && !at.stat.isDirectory()) return undefined;
      if (name === '..') {
        if (way.length > 1) way.pop();
        at = way.at(-1)?.[0];
        continue;
      }
      const found = way.length > 1 ? this.#entries(way.at(-1) ?? [], name, kept) : this.#topEntry(name);
      if (!found) return undefined;
      if (found.target === undefined) {
        at = found.entry;
        way.push(found.below);
        continue;
      }
      if (++links > MAX_LINKS) return undefined;
      if (found.target.startsWith('/')) way.length = 1;
      at = way.at(-1)?.[0];
      pending = [...components(found.target), ...pending];
    }
    return way.length > 1 ? at : undefined;
  }

  /** What the files have in common is looked up once. */
  #topEntry(name: string): Found | undefined {
    const known = this.#entriesOfTop.get(name);
    if (known) return known;
    const found = this.#entries(this.#top(), name, this.#kept);
    if (found) this.#entriesOfTop.set(name, found);
    return found;
  }

  #top(): Merged {
    if (this.#root) return this.#root;
    this.#marksAreFiles = this.#layers[0] !== undefined && unfitForUpper(this.#layers[0]) !== undefined;
    this.#root = this.#layers.flatMap((layer) => {
      const root = HeldFile.at(layer);
      return root ? [this.#kept.use(root)] : [];
    });
    return this.#root;
  }

  /** Looks a name up in the layers of a directory, whiteouts and files in the way respected. */
  #entries(directories: Merged, name: string, kept: DisposableStack): Found | undefined {
    const below: HeldFile[] = [];
    for (const directory of directories) {
      const entry = directory.entry(name);
      if (entry) kept.use(entry);
      const { stat } = entry ?? {};
      if (entry && stat?.isDirectory()) {
        below.push(entry);
        continue;
      }
      const isWhiteout = entry ? stat?.isCharacterDevice() && stat.rdev === 0 : this.#marksAreFiles && hasEntry(directory, whiteoutFile(name));
      if (!entry && !isWhiteout) continue;
      // It hides what the layers below have, and is hidden itself by a directory above.
      if (below.length || !entry || isWhiteout) break;
      return { entry, below, ...(stat?.isSymbolicLink() ? { target: directory.linkTarget(name) } : {}) };
    }
    const [entry] = below;
    return entry && { entry, below };
  }
}

/**
 * Reads one file of a root, see {@link RootfsFiles}.
 *
 * @throws FileError `FILE_IRREGULAR`, `FILE_TOO_LARGE`, `FILE_UNREADABLE`
 */
export function* rootfsLines(layers: readonly string[], file: string, mention?: string): Generator<string> {
  using files = new RootfsFiles(layers);
  yield* files.lines(file, mention);
}

function hasEntry(directory: HeldFile, name: string): boolean {
  using entry = directory.entry(name);
  return entry !== undefined;
}

function components(path: string): string[] {
  return path.split('/').filter((name) => name && name !== '.');
}
