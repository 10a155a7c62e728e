import { constants } from 'node:os';
import {
  AT,
  AT_FDCWD,
  bytesOf,
  FRAME_FLAGS,
  FrameWriter,
  type IdMapping,
  isOverlayMark,
  O,
  OPAQUE_FILE,
  OPCODES,
  type Program,
  S_IF,
  textOf,
  UTIME,
  WHITEOUT,
  whiteoutFile,
} from '@lamella/syscall';
import type { LowerLink } from '../model/applied-layer.js';
import type { ImageErrorCode } from '../model/error-codes.js';
import { IMAGE_BOUNDS } from '../model/image-bounds.js';
import { ImageError } from '../model/image-error.js';
import type { LayerMarks } from '../model/layer-marks.js';
import type { Seeds } from '../model/seeds.js';
import { DATA_MAX, type OpWriter } from '../tar/archive-feed.js';
import { EntriesInFlight } from '../tar/entries-in-flight.js';
import { NODE_BITS, printable, type TarEntry } from '../tar/entry.js';
import { entryPath } from './entry-path.js';

const { EEXIST, ENOENT, ENOTDIR, ENOTEMPTY, EOPNOTSUPP, EPERM } = constants.errno;
const { OPTIONAL, REPLACE } = FRAME_FLAGS;
/** The file being written. */
const FILE = 5;
const SPECIAL_BITS = 0o7000;
/** No name of a layer begins so. */
const PLACE = '.wh..place';
/** What aufs called the books that it kept at the top of a layer. They mean nothing here (Docker's archive.WhiteoutMetaPrefix). */
const BOOKS = '.wh..wh.';
/** Something of the layer's own is there by that name, or what should be its directory is none. */
const NOTHING_TO_HIDE: readonly number[] = [EEXIST, ENOENT, ENOTDIR];

interface Directory {
  mode: number;
  uid: number;
  gid: number;
  seconds: number;
  nanoseconds: number;
  xattrs: ReadonlyMap<string, Buffer> | undefined;
  /** Listed again, or made before: its mode is not what mkdir gave it. */
  again: boolean;
}

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
  readonly seeds?: Seeds;
}

/**
 * Turns the entries of a layer into ops for an interpreter whose root is the layer's directory.
 * Docker's semantics: a later entry replaces an earlier one of its name, except that directories
 * are merged; links are followed inside the layer; whiteouts speak of the layers below only.
 *
 * Order within a file: write, chown (clears set-user-id and capabilities), chmod, attributes,
 * times. Directories get all but their existence at the very end, after their children.
 */
export class LayerWriter implements OpWriter {
  readonly #frames = new FrameWriter(1 << 20);
  readonly #options: LayerWriterOptions;
  readonly #directories = new Map<string, Directory>();
  readonly #implied = new Set<string>();
  readonly #whiteouts = new Set<string>();
  readonly #opaques = new Set<string>();
  /** Whited out and made anew: such a directory has nothing of the one below, not even its owner. */
  readonly #replaced = new Set<string>();
  /** Directories in which aufs kept its own books. Other names may be links to what is in them. */
  readonly #books = new Set<string>();
  /** With where those that are hard links lead. */
  readonly #inFlight = new EntriesInFlight();
  readonly #lowerLinks: LowerLink[] = [];
  readonly #seeded: ReadonlySet<string>;
  /** Bytes of names and attributes that are kept until the end, and of those that are noted. */
  #kept = 0;
  #noted = 0;
  #open: TarEntry | undefined;
  #lastParent = '';
  #droppedOwners = 0;
  #droppedXattrs = 0;
  #droppedDevices = 0;

  constructor(options: LayerWriterOptions) {
    this.#options = options;
    for (const name of options.seeds?.directories ?? []) this.#implied.add(latin1(name));
    this.#seeded = new Set(options.seeds?.others.map(latin1));
  }

  /** Ops that come before the first entry. */
  begin(program: Program): void {
    for (const op of program) this.#frames.op(op);
  }

  /** Frames to send. */
  take(): Buffer {
    return this.#frames.take();
  }

  /** Frames that were sent: their memory serves again. */
  recycle(taken: Buffer): void {
    this.#frames.recycle(taken);
  }

  get pending(): number {
    return this.#frames.length;
  }

  /** The entry that an op was for. */
  nameOf(index: number): string | undefined {
    return this.#inFlight.find(index)?.name;
  }

  /** An op failed as it was allowed to: a hard link to what this layer does not hold is noted. */
  ignored(index: number): void {
    const { name = '', note: target = '' } = this.#inFlight.find(index) ?? {};
    if (!target) return;
    const path = entryPath(name);
    this.#lowerLinks.push({ path: utf8(path), target: utf8(target) });
    this.#note(path.length + target.length);
  }

  /** Hard links that could not be made, for their targets are in the layers below, if anywhere; as UTF-8. */
  get lowerLinks(): readonly LowerLink[] {
    return this.#lowerLinks;
  }

  /** Directories that the layer needs and does not list, as UTF-8. */
  get implied(): string[] {
    return [...this.#implied].map(utf8);
  }

  /** Directories that hide what the layers below have in them, as UTF-8; complete after {@link finish}. */
  get opaque(): string[] {
    return [...this.#opaques].map(utf8);
  }

  /** Those of them that are new, and have no metadata of the layers below; complete after {@link finish}. */
  get replaced(): string[] {
    return [...this.#replaced].map(utf8);
  }

  /** Directories that hold whiteouts, as UTF-8. */
  get whiteoutDirectories(): string[] {
    const parents = new Set([...this.#whiteouts].map((name) => name.slice(0, Math.max(0, name.lastIndexOf('/')))));
    return [...parents].filter(Boolean).map(utf8);
  }

  /** What could not be kept, for the user to know. */
  get warnings(): string[] {
    const warnings: string[] = [];
    if (this.#droppedOwners)
      warnings.push(`${this.#droppedOwners} entries have owners that an ordinary user cannot keep; they belong to root in the container`);
    if (this.#droppedXattrs) warnings.push(`${this.#droppedXattrs} overlayfs attributes in the archive were left out`);
    if (this.#droppedDevices) warnings.push(`${this.#droppedDevices} device nodes were left out: an ordinary user cannot make them`);
    return warnings;
  }

  entry(entry: TarEntry): void {
    this.#inFlight.begin(this.#frames.index, entry.name);
    if (this.#inFlight.count > this.#options.maxEntries)
      throw new ImageError({
        code: 'LAYER_TOO_MANY_ENTRIES',
        message: `the archive has more than ${this.#options.maxEntries} entries (at '${printable(entry.name)}')`,
        hint: 'Raise maxEntries if that is what it should have.',
      });
    this.#checkBounds();
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
    if (path.startsWith(BOOKS)) this.#books.add(path.slice(0, path.indexOf('/')));
    this.#parents(path, slash);
    if (this.#options.ids === 'single' && (entry.uid !== 0 || entry.gid !== 0)) this.#droppedOwners++;
    if (entry.type !== 'directory' && (this.#directories.has(path) || this.#implied.has(path) || this.#opaques.has(path))) this.#forget(path);
    switch (entry.type) {
      case 'file':
        this.#openFile(path, entry);
        break;
      case 'directory':
        this.#directory(path, entry);
        break;
      case 'symlink':
        this.#symlink(path, entry);
        break;
      case 'hardlink':
        this.#hardlink(path, entry);
        break;
      default:
        this.#node(path, entry);
    }
  }

  data(chunk: Buffer, offset: number): void {
    if (!this.#open) return;
    if (offset !== this.#written) {
      this.#begin(OPCODES.lseek.code);
      this.#numbers(FILE, offset, 0);
      this.#frames.end();
      this.#written = offset;
    }
    for (let at = 0; at < chunk.length; at += DATA_MAX) {
      const piece = chunk.length <= DATA_MAX ? chunk : chunk.subarray(at, at + DATA_MAX);
      this.#begin(OPCODES.write.code);
      this.#frames.number(FILE);
      this.#frames.string(piece);
      this.#frames.end();
      this.#written += piece.length;
    }
  }

  #written = 0;

  end(): void {
    const entry = this.#open;
    if (!entry) return;
    this.#open = undefined;
    if (this.#written < entry.size) {
      this.#begin(OPCODES.ftruncate.code);
      this.#numbers(FILE, entry.size);
      this.#frames.end();
    }
    if (this.#owned(entry)) {
      this.#begin(OPCODES.fchownat.code);
      this.#numbers(FILE, entry.uid, entry.gid, AT.EMPTY_PATH);
      this.#frames.binary('');
      this.#frames.end();
    }
    if (entry.mode & SPECIAL_BITS) {
      this.#begin(OPCODES.fchmod.code);
      this.#numbers(FILE, entry.mode);
      this.#frames.end();
    }
    this.#fdXattrs(entry.xattrs);
    this.#begin(OPCODES.utimensat.code);
    this.#numbers(FILE, 0, UTIME.OMIT, entry.mtimeSeconds, entry.mtimeNanoseconds, 0);
    this.#frames.string(null);
    this.#frames.end();
    this.#begin(OPCODES.close.code);
    this.#frames.number(FILE);
    this.#frames.end();
  }

  /** What waits for the end: whiteouts and the directories' own. Yields when frames are worth sending. */
  *finish(): Generator<void> {
    this.#checkBounds();
    for (const name of this.#books) {
      this.#forget(name);
      this.#pathOp(OPCODES.rmtree.code, name, [ENOENT]);
    }
    for (const path of this.#whiteouts) {
      if (this.#directories.has(path) || this.#implied.has(path)) {
        this.#opaques.add(path);
        this.#replaced.add(path);
      } else if (this.#options.marks === 'files') this.#hideByFile(path);
      else {
        // Something of this layer's own by that name hides what is below just as well; a seed is what is below.
        if (this.#seeded.has(path)) this.#begin(OPCODES.mknodat.code, REPLACE);
        else this.#begin(OPCODES.mknodat.code, OPTIONAL, NOTHING_TO_HIDE);
        this.#numbers(AT_FDCWD, S_IF.IFCHR, 0, 0);
        this.#frames.binary(path);
        this.#frames.end();
      }
      if (this.pending > DATA_MAX) yield;
    }
    for (const path of this.#opaques) {
      // An opaque top hides only the layers below this one, and stacking leaves those out, so it needs no mark. A seed keeps the lower's mark.
      if (path === '' || this.#seeded.has(path)) continue;
      if (this.#options.marks === 'files') this.#file(path ? `${path}/${OPAQUE_FILE}` : OPAQUE_FILE);
      else this.#setXattr(path, this.#options.ids === 'host' ? 'trusted.overlay.opaque' : 'user.overlay.opaque', Buffer.from('y'), [ENOENT, ENOTDIR]);
      if (this.pending > DATA_MAX) yield;
    }
    for (const [path, directory] of this.#directories) {
      this.#finishDirectory(path, directory);
      if (this.pending > DATA_MAX) yield;
    }
  }

  /**
   * Make the file that hides a name below, but where this layer has something of its own by that name: in one directory the two would contradict each other.
   * A directory takes the place that is free, and what cannot be moved into it stays: no op asks.
   */
  #hideByFile(path: string): void {
    const file = whiteoutFile(path);
    if (this.#seeded.has(path)) {
      this.#pathOp(OPCODES.rmtree.code, path, [ENOENT]);
      this.#file(file);
      return;
    }
    this.#begin(OPCODES.mkdirat.code);
    this.#numbers(AT_FDCWD, 0o700);
    this.#frames.binary(PLACE);
    this.#frames.end();
    this.#file(file);
    this.#rename(PLACE, path, [ENOTDIR, EEXIST, ENOTEMPTY, ENOENT]);
    this.#rename(file, `${PLACE}/away`, [ENOENT, ENOTDIR]);
    this.#begin(OPCODES.unlinkat.code, OPTIONAL, [ENOTDIR, ENOTEMPTY, ENOENT]);
    this.#numbers(AT_FDCWD, AT.REMOVEDIR);
    this.#frames.binary(path);
    this.#frames.end();
    this.#pathOp(OPCODES.rmtree.code, PLACE, [ENOENT]);
  }

  /** An empty one. */
  #file(path: string): void {
    this.#begin(OPCODES.mknodat.code, OPTIONAL, NOTHING_TO_HIDE);
    this.#numbers(AT_FDCWD, S_IF.IFREG, 0, 0);
    this.#frames.binary(path);
    this.#frames.end();
  }

  #rename(from: string, to: string, ignored: readonly number[]): void {
    this.#begin(OPCODES.renameat2.code, OPTIONAL, ignored);
    this.#numbers(AT_FDCWD, AT_FDCWD, 0);
    this.#frames.binary(from);
    this.#frames.binary(to);
    this.#frames.end();
  }

  #pathOp(code: number, path: string, ignored: readonly number[]): void {
    this.#begin(code, OPTIONAL, ignored);
    this.#frames.number(AT_FDCWD);
    this.#frames.binary(path);
    this.#frames.end();
  }

  #begin(code: number, flags = 0, ignored?: readonly number[]): void {
    this.#frames.begin(code, flags, ignored);
  }

  #numbers(...values: number[]): void {
    for (const value of values) this.#frames.number(value);
  }

  #owned(entry: { uid: number; gid: number }): boolean {
    return this.#options.ids !== 'single' && (entry.uid !== 0 || entry.gid !== 0);
  }

  #refuse(entry: TarEntry, code: ImageErrorCode, what: string): ImageError {
    return new ImageError({
      code,
      message: `'${printable(entry.name)}' ${what}`,
      hint: 'The archive is damaged, or made to do damage; nothing of it was kept.',
    });
  }

  /** Make the directories above a path that the layer did not list. A link may stand for one. */
  #parents(path: string, slash: number): void {
    if (slash < 0) return;
    const parent = path.slice(0, slash);
    if (parent === this.#lastParent || this.#directories.has(parent) || this.#implied.has(parent)) return;
    this.#parents(parent, parent.lastIndexOf('/'));
    // Where there is no directory an entry that is to be in it fails by itself; a whiteout has nothing to hide.
    this.#begin(OPCODES.mkdirat.code, OPTIONAL, [EEXIST, ENOTDIR, ENOENT]);
    this.#numbers(AT_FDCWD, 0o755);
    this.#frames.binary(parent);
    this.#frames.end();
    this.#implied.add(parent);
    this.#note(parent.length);
    this.#lastParent = parent;
  }

  /** A directory makes way for something else: nothing of it is to be finished later. */
  #forget(path: string): void {
    const below = `${path}/`;
    this.#lastParent = '';
    for (const set of [this.#directories, this.#implied, this.#opaques])
      for (const key of set.keys()) if (key === path || key.startsWith(below)) set.delete(key);
  }

  #openFile(path: string, entry: TarEntry): void {
    this.#begin(OPCODES.openat.code, REPLACE);
    this.#numbers(AT_FDCWD, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC, entry.mode & SPECIAL_BITS ? entry.mode & 0o700 : entry.mode, FILE);
    this.#frames.binary(path);
    this.#frames.end();
    this.#open = entry;
    this.#written = 0;
  }

  #directory(path: string, entry: TarEntry): void {
    const again = path === '' || this.#directories.has(path) || this.#implied.delete(path);
    if (!this.#directories.has(path) && path !== '') {
      this.#begin(OPCODES.mkdirat.code, REPLACE);
      this.#numbers(AT_FDCWD, entry.mode & 0o1777);
      this.#frames.binary(path);
      this.#frames.end();
    }
    this.#keep(path, entry.xattrs);
    this.#directories.set(path, {
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      seconds: entry.mtimeSeconds,
      nanoseconds: entry.mtimeNanoseconds,
      xattrs: entry.xattrs,
      again,
    });
  }

  #finishDirectory(path: string, directory: Directory): void {
    const at = path === '' ? '.' : path;
    // An earlier entry of the same name may have left another owner.
    if (this.#owned(directory) || (directory.again && this.#options.ids !== 'single')) {
      this.#begin(OPCODES.fchownat.code, OPTIONAL, [ENOENT, ENOTDIR]);
      this.#numbers(AT_FDCWD, directory.uid, directory.gid, AT.SYMLINK_NOFOLLOW);
      this.#frames.binary(at);
      this.#frames.end();
    }
    if (directory.again || directory.mode & 0o6000) {
      this.#begin(OPCODES.fchmodat.code, OPTIONAL, [ENOENT, ENOTDIR]);
      this.#numbers(AT_FDCWD, directory.mode);
      this.#frames.binary(at);
      this.#frames.end();
    }
    this.#pathXattrs(at, directory.xattrs);
    this.#pathTimes(at, directory.seconds, directory.nanoseconds);
  }

  #symlink(path: string, entry: TarEntry): void {
    if (!entry.linkname || entry.linkname.includes('\0')) throw this.#refuse(entry, 'LAYER_LINK_INVALID', 'is a symbolic link to nothing');
    this.#begin(OPCODES.symlinkat.code, REPLACE);
    this.#frames.number(AT_FDCWD);
    this.#frames.binary(entry.linkname);
    this.#frames.binary(path);
    this.#frames.end();
    if (this.#owned(entry)) this.#pathOwner(path, entry);
    this.#pathXattrs(path, entry.xattrs);
    this.#pathTimes(path, entry.mtimeSeconds, entry.mtimeNanoseconds);
  }

  #hardlink(path: string, entry: TarEntry): void {
    const target = entryPath(entry.linkname, entry.name);
    if (!target) throw this.#refuse(entry, 'LAYER_LINK_INVALID', 'is a hard link to nothing');
    if (target === path) return;
    if (this.#options.stacked) this.#begin(OPCODES.linkat.code, REPLACE | OPTIONAL, [ENOENT]);
    else this.#begin(OPCODES.linkat.code, REPLACE);
    this.#inFlight.note(target);
    this.#numbers(AT_FDCWD, AT_FDCWD, 0);
    this.#frames.binary(target);
    this.#frames.binary(path);
    this.#frames.end();
  }

  #node(path: string, entry: TarEntry): void {
    if (this.#options.ids !== 'host' && entry.type !== 'fifo') {
      this.#droppedDevices++;
      return;
    }
    this.#begin(OPCODES.mknodat.code, REPLACE);
    this.#numbers(
      AT_FDCWD,
      (NODE_BITS[entry.type] ?? 0) | (entry.mode & 0o777),
      entry.type === 'fifo' ? 0 : entry.major,
      entry.type === 'fifo' ? 0 : entry.minor,
    );
    this.#frames.binary(path);
    this.#frames.end();
    if (this.#owned(entry)) this.#pathOwner(path, entry);
    if (entry.mode & SPECIAL_BITS) {
      this.#begin(OPCODES.fchmodat.code);
      this.#numbers(AT_FDCWD, entry.mode);
      this.#frames.binary(path);
      this.#frames.end();
    }
    this.#pathXattrs(path, entry.xattrs);
    this.#pathTimes(path, entry.mtimeSeconds, entry.mtimeNanoseconds);
  }

  /** OCI image-spec, layer.md, "Whiteouts". */
  #whiteout(entry: TarEntry, parent: string, base: string): void {
    if (base === OPAQUE_FILE) {
      this.#parents(`${parent}/x`, parent.length);
      this.#opaques.add(parent);
      this.#note(parent.length);
      return;
    }
    if (base.startsWith(BOOKS)) return;
    const name = base.slice(WHITEOUT.length);
    if (name === '' || name === '.' || name === '..') throw this.#refuse(entry, 'LAYER_PATH_INVALID', 'is a whiteout of no name');
    const path = parent ? `${parent}/${name}` : name;
    this.#parents(path, path.lastIndexOf('/'));
    this.#whiteouts.add(path);
    this.#note(path.length);
  }

  #note(bytes: number): void {
    // What a name costs beside its bytes.
    this.#noted += bytes + 16;
  }

  #keep(path: string, xattrs: ReadonlyMap<string, Buffer> | undefined): void {
    this.#kept += path.length + 16;
    for (const [name, value] of xattrs ?? []) this.#kept += name.length + value.length;
  }

  /** Asked between entries: what an entry adds is bounded by the reader. @throws ImageError `LAYER_TOO_LARGE` */
  #checkBounds(): void {
    const what =
      this.#noted > IMAGE_BOUNDS.notes
        ? `${IMAGE_BOUNDS.notes} bytes of names of whiteouts, of directories that it does not list, and of links to what it does not have`
        : this.#kept > IMAGE_BOUNDS.directories
          ? `${IMAGE_BOUNDS.directories} bytes of names and attributes of directories`
          : undefined;
    if (what)
      throw new ImageError({ code: 'LAYER_TOO_LARGE', message: `the archive has more than ${what}`, hint: 'It is made to do damage; nothing of it was kept.' });
  }

  #pathOwner(path: string, entry: TarEntry): void {
    this.#begin(OPCODES.fchownat.code);
    this.#numbers(AT_FDCWD, entry.uid, entry.gid, AT.SYMLINK_NOFOLLOW);
    this.#frames.binary(path);
    this.#frames.end();
  }

  #pathTimes(path: string, seconds: number, nanoseconds: number): void {
    this.#begin(OPCODES.utimensat.code, OPTIONAL, [ENOENT, ENOTDIR]);
    this.#numbers(AT_FDCWD, 0, UTIME.OMIT, seconds, nanoseconds, AT.SYMLINK_NOFOLLOW);
    this.#frames.binary(path);
    this.#frames.end();
  }

  /** Overlayfs would take its own marks from an archive for the truth about a layer. */
  *#wanted(xattrs: ReadonlyMap<string, Buffer> | undefined): Generator<readonly [string, Buffer]> {
    if (!xattrs) return;
    for (const pair of xattrs) {
      if (isOverlayMark(pair[0])) this.#droppedXattrs++;
      else yield pair;
    }
  }

  /** Not every filesystem keeps every attribute: Docker lets that pass, and so do we. */
  get #xattrErrors(): number[] {
    return this.#options.ids === 'host' ? [EOPNOTSUPP, ENOENT] : [EOPNOTSUPP, EPERM, ENOENT];
  }

  #fdXattrs(xattrs: ReadonlyMap<string, Buffer> | undefined): void {
    for (const [name, value] of this.#wanted(xattrs)) {
      this.#begin(OPCODES.fsetxattr.code, OPTIONAL, this.#xattrErrors);
      this.#numbers(FILE, 0);
      this.#frames.binary(name);
      this.#frames.string(value);
      this.#frames.end();
    }
  }

  #pathXattrs(path: string, xattrs: ReadonlyMap<string, Buffer> | undefined): void {
    // user.* attributes belong to files and directories only: EPERM on anything else (xattr(7)).
    for (const [name, value] of this.#wanted(xattrs)) this.#setXattr(path, name, value, [...this.#xattrErrors, EPERM]);
  }

  #setXattr(path: string, name: string, value: Buffer, ignored: readonly number[]): void {
    this.#begin(OPCODES.lsetxattr.code, ignored.length ? OPTIONAL : 0, ignored);
    this.#frames.number(0);
    this.#frames.binary(path === '' ? '.' : path);
    this.#frames.binary(name);
    this.#frames.string(value);
    this.#frames.end();
  }
}

/** Names are kept as their bytes; what leaves this file is text. */
function utf8(name: string): string {
  return textOf(Buffer.from(name, 'latin1'));
}

function latin1(name: string): string {
  return bytesOf(name).toString('latin1');
}
