import { type IdMapping, OPAQUE_FILE, type Program, textOf, WHITEOUT } from '@lamella/syscall';
import type { LowerLink } from '../model/applied-layer.js';
import type { ImageErrorCode } from '../model/error-codes.js';
import { ImageError } from '../model/image-error.js';
import type { LayerMarks } from '../model/layer-marks.js';
import type { LowerNames } from '../model/lower-names.js';
import { DATA_MAX, type OpWriter } from '../tar/archive-feed.js';
import { EntriesInFlight } from '../tar/entries-in-flight.js';
import { printable, type TarEntry } from '../tar/entry.js';
import { entryPath } from './entry-path.js';
import { LayerOps } from './layer-ops.js';
import { BOOKS, LayerTree } from './layer-tree.js';

export interface LayerWriterOptions {
  /**
   * In a user namespace devices are left out, and overlayfs has its marks in `user.*`; with one id there
   * owners are not kept, either.
   */
  readonly ids: IdMapping['kind'];
  readonly marks: LayerMarks;
  /** Entries more than this are refused. */
  readonly maxEntries: number;
  /** Hard links to what the layer does not hold are noted, and not refused. */
  readonly stacked?: boolean;
  /** What the directory holds of the layers below before the first entry. */
  readonly lowerNames?: LowerNames;
}

/**
 * Turns the entries of a layer into ops for an interpreter whose root is the layer's directory: {@link LayerTree} decides,
 * {@link LayerOps} writes. Links are followed inside the layer. Directories get everything but their existence at the very end, after
 * their children.
 */
export class LayerWriter implements OpWriter {
  readonly #options: LayerWriterOptions;
  readonly #ops: LayerOps;
  readonly #tree: LayerTree;
  /** Entries whose ops have no reply yet; of a hard link also its target. */
  readonly #inFlight = new EntriesInFlight();
  readonly #lowerLinks: LowerLink[] = [];
  #open: TarEntry | undefined;
  #droppedOwners = 0;
  #droppedDevices = 0;

  constructor(options: LayerWriterOptions) {
    this.#options = options;
    this.#ops = new LayerOps(options.ids, options.marks);
    this.#tree = new LayerTree(options.lowerNames);
  }

  /** Ops that come before the first entry. */
  begin(program: Program): void {
    this.#ops.program(program);
  }

  take(): Buffer {
    return this.#ops.take();
  }

  recycle(taken: Buffer): void {
    this.#ops.recycle(taken);
  }

  get pending(): number {
    return this.#ops.pending;
  }

  /** Returns the entry that an op was for. */
  nameOf(index: number): string | undefined {
    return this.#inFlight.find(index)?.name;
  }

  /** An op failed as it was allowed to: a hard link to what this layer does not hold is noted. */
  ignored(index: number): void {
    const { name = '', note: target = '' } = this.#inFlight.find(index) ?? {};
    if (!target) return;
    const path = entryPath(name);
    this.#lowerLinks.push({ path: textOf(Buffer.from(path, 'latin1')), target: textOf(Buffer.from(target, 'latin1')) });
    this.#tree.note(path.length + target.length);
  }

  /** Hard links whose targets are in the layers below, if anywhere; as UTF-8. */
  get lowerLinks(): readonly LowerLink[] {
    return this.#lowerLinks;
  }

  /** Directories that the layer needs and does not list, as UTF-8. */
  get implied(): string[] {
    return this.#tree.implied;
  }

  /** Directories that hide what the layers below have in them, as UTF-8; complete after {@link finish}. */
  get opaque(): string[] {
    return this.#tree.opaques;
  }

  /** Those of them that are new, and have no metadata of the layers below; complete after {@link finish}. */
  get replaced(): string[] {
    return this.#tree.replaced;
  }

  /** Directories that hold whiteouts, as UTF-8. */
  get whiteoutDirectories(): string[] {
    return this.#tree.whiteoutDirectories;
  }

  /** What could not be kept, for the user to know. */
  get warnings(): string[] {
    const { droppedXattrs } = this.#ops;
    const warnings: string[] = [];
    if (this.#droppedOwners)
      warnings.push(`${this.#droppedOwners} entries have owners that an ordinary user cannot keep; they belong to root in the container`);
    if (droppedXattrs) warnings.push(`${droppedXattrs} overlayfs attributes in the archive were left out`);
    if (this.#droppedDevices) warnings.push(`${this.#droppedDevices} device nodes were left out: an ordinary user cannot make them`);
    return warnings;
  }

  entry(entry: TarEntry): void {
    this.#inFlight.begin(this.#ops.index, entry.name);
    if (this.#inFlight.count > this.#options.maxEntries)
      throw new ImageError({
        code: 'LAYER_TOO_MANY_ENTRIES',
        message: `the archive has more than ${this.#options.maxEntries} entries (at '${printable(entry.name)}')`,
        hint: 'Raise maxEntries if that is what it should have.',
      });
    this.#tree.checkBounds();
    const path = entryPath(entry.name);
    const slash = path.lastIndexOf('/');
    const base = path.slice(slash + 1);
    if (base.startsWith(WHITEOUT)) {
      this.#whiteout(entry, path.slice(0, Math.max(0, slash)), base);
      return;
    }
    if (path === '') {
      if (entry.type === 'directory') this.#directory('', entry);
      else throw this.#refuse(entry, 'LAYER_PATH_INVALID', 'would replace the root of the image');
      return;
    }
    if (path.startsWith(BOOKS)) this.#tree.book(path);
    this.#parents(path);
    if (this.#options.ids === 'single' && (entry.uid !== 0 || entry.gid !== 0)) this.#droppedOwners++;
    if (entry.type !== 'directory') this.#tree.replace(path);
    switch (entry.type) {
      case 'file':
        this.#ops.openFile(path, entry);
        this.#open = entry;
        break;
      case 'directory':
        this.#directory(path, entry);
        break;
      case 'symlink':
        if (!entry.linkname || entry.linkname.includes('\0')) throw this.#refuse(entry, 'LAYER_LINK_INVALID', 'is a symbolic link to nothing');
        this.#ops.symlink(path, entry);
        break;
      case 'hardlink':
        this.#hardlink(path, entry);
        break;
      default:
        if (this.#options.ids !== 'host' && entry.type !== 'fifo') this.#droppedDevices++;
        else this.#ops.node(path, entry);
    }
  }

  data(chunk: Buffer, offset: number): void {
    if (this.#open) this.#ops.data(chunk, offset);
  }

  end(): void {
    if (!this.#open) return;
    this.#ops.closeFile(this.#open);
    this.#open = undefined;
  }

  /** What waits for the end: whiteouts and the directories' metadata. Yields when frames are worth sending. */
  *finish(): Generator<void> {
    this.#tree.checkBounds();
    for (const name of this.#tree.takeBooks()) this.#ops.removeTree(name);
    for (const { path, isSeed } of this.#tree.hiddenNames()) {
      this.#ops.whiteout(path, isSeed);
      if (this.pending > DATA_MAX) yield;
    }
    for (const path of this.#tree.markedDirectories()) {
      this.#ops.opaque(path);
      if (this.pending > DATA_MAX) yield;
    }
    for (const [path, directory] of this.#tree.directories) {
      this.#ops.finishDirectory(path, directory);
      if (this.pending > DATA_MAX) yield;
    }
  }

  #parents(path: string): void {
    for (const parent of this.#tree.missingParents(path)) this.#ops.impliedDirectory(parent);
  }

  #directory(path: string, entry: TarEntry): void {
    if (this.#tree.directory(path, entry)) this.#ops.directory(path, entry.mode);
  }

  #hardlink(path: string, entry: TarEntry): void {
    const target = entryPath(entry.linkname, entry.name);
    if (!target) throw this.#refuse(entry, 'LAYER_LINK_INVALID', 'is a hard link to nothing');
    if (target === path) return;
    this.#inFlight.note(target);
    this.#ops.hardlink(path, target, this.#options.stacked === true);
  }

  #whiteout(entry: TarEntry, parent: string, base: string): void {
    if (base === OPAQUE_FILE) {
      this.#parents(`${parent}/x`);
      this.#tree.opaque(parent);
      return;
    }
    if (base.startsWith(BOOKS)) return;
    const name = base.slice(WHITEOUT.length);
    if (name === '' || name === '.' || name === '..') throw this.#refuse(entry, 'LAYER_PATH_INVALID', 'is a whiteout of no name');
    const path = parent ? `${parent}/${name}` : name;
    this.#parents(path);
    this.#tree.whiteout(path);
  }

  #refuse(entry: TarEntry, code: ImageErrorCode, what: string): ImageError {
    return new ImageError({
      code,
      message: `'${printable(entry.name)}' ${what}`,
      hint: 'The archive is damaged, or made to do damage; nothing of it was kept.',
    });
  }
}
