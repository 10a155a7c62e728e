import { constants } from 'node:os';
import {
  AT,
  AT_FDCWD,
  FRAME_FLAGS,
  FrameWriter,
  type IdMapping,
  isOverlayMark,
  O,
  OPAQUE_FILE,
  OPCODES,
  type Program,
  S_IF,
  UTIME,
  whiteoutFile,
} from '@lamella/syscall';
import type { LayerMarks } from '../model/layer-marks.js';
import { DATA_MAX } from '../tar/archive-feed.js';
import { NODE_BITS, type TarEntry } from '../tar/entry.js';
import type { ListedDirectory } from './layer-tree.js';

const { EEXIST, ENOENT, ENOTDIR, ENOTEMPTY, EOPNOTSUPP, EPERM } = constants.errno;
const { OPTIONAL, REPLACE } = FRAME_FLAGS;
/** The slot of the file that is written. */
const FILE = 5;
const SPECIAL_BITS = 0o7000;
/** A name that no entry of a layer has. */
const PLACE = '.wh..place';
/** The layer itself has something at that name, or its parent is not a directory. */
const NOTHING_TO_HIDE: readonly number[] = [EEXIST, ENOENT, ENOTDIR];

type Xattrs = ReadonlyMap<string, Buffer> | undefined;

/**
 * Writes the ops for objects of a layer, for an interpreter whose root is the layer's directory. Names are bytes as latin1.
 *
 * Order within a file: write, chown (clears set-user-id and capabilities), chmod, attributes, times.
 */
export class LayerOps {
  readonly #frames = new FrameWriter(1 << 20);
  readonly #ids: IdMapping['kind'];
  readonly #marks: LayerMarks;
  #written = 0;
  /** Attributes of overlayfs in the archive, which are left out. */
  droppedXattrs = 0;

  constructor(ids: IdMapping['kind'], marks: LayerMarks) {
    this.#ids = ids;
    this.#marks = marks;
  }

  /** Ops that come before the first entry. */
  program(program: Program): void {
    for (const op of program) this.#frames.op(op);
  }

  /** Returns frames to send. */
  take(): Buffer {
    return this.#frames.take();
  }

  /** Takes back the memory of frames that were sent. */
  recycle(taken: Buffer): void {
    this.#frames.recycle(taken);
  }

  /** Bytes of frames that wait to be sent. */
  get pending(): number {
    return this.#frames.length;
  }

  /** The index of the next op. */
  get index(): number {
    return this.#frames.index;
  }

  openFile(path: string, { mode }: TarEntry): void {
    this.#begin(OPCODES.openat.code, REPLACE);
    this.#numbers(AT_FDCWD, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC, mode & SPECIAL_BITS ? mode & 0o700 : mode, FILE);
    this.#frames.binary(path);
    this.#frames.end();
    this.#written = 0;
  }

  data(chunk: Buffer, offset: number): void {
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

  closeFile(entry: TarEntry): void {
    if (this.#written < entry.size) {
      this.#begin(OPCODES.ftruncate.code);
      this.#numbers(FILE, entry.size);
      this.#frames.end();
    }
    if (this.#isOwned(entry)) {
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
    for (const [name, value] of this.#kept(entry.xattrs)) {
      this.#begin(OPCODES.fsetxattr.code, OPTIONAL, this.#xattrErrors);
      this.#numbers(FILE, 0);
      this.#frames.binary(name);
      this.#frames.string(value);
      this.#frames.end();
    }
    this.#begin(OPCODES.utimensat.code);
    this.#numbers(FILE, 0, UTIME.OMIT, entry.mtimeSeconds, entry.mtimeNanoseconds, 0);
    this.#frames.string(null);
    this.#frames.end();
    this.#begin(OPCODES.close.code);
    this.#frames.number(FILE);
    this.#frames.end();
  }

  /** A directory that the layer does not list. A link may stand for it. */
  impliedDirectory(path: string): void {
    // Without a directory an entry that is to be in it fails by itself; a whiteout has nothing to hide.
    this.#begin(OPCODES.mkdirat.code, OPTIONAL, [EEXIST, ENOTDIR, ENOENT]);
    this.#numbers(AT_FDCWD, 0o755);
    this.#frames.binary(path);
    this.#frames.end();
  }

  directory(path: string, mode: number): void {
    this.#begin(OPCODES.mkdirat.code, REPLACE);
    this.#numbers(AT_FDCWD, mode & 0o1777);
    this.#frames.binary(path);
    this.#frames.end();
  }

  /** Everything of a directory but its existence, after its children. */
  finishDirectory(path: string, directory: ListedDirectory): void {
    const at = path === '' ? '.' : path;
    // An earlier entry of the same name may have left another owner.
    if (this.#isOwned(directory) || (directory.again && this.#ids !== 'single')) {
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

  symlink(path: string, entry: TarEntry): void {
    this.#begin(OPCODES.symlinkat.code, REPLACE);
    this.#frames.number(AT_FDCWD);
    this.#frames.binary(entry.linkname);
    this.#frames.binary(path);
    this.#frames.end();
    if (this.#isOwned(entry)) this.#pathOwner(path, entry);
    this.#pathXattrs(path, entry.xattrs);
    this.#pathTimes(path, entry.mtimeSeconds, entry.mtimeNanoseconds);
  }

  /** @param mayMiss the target may be in a layer below */
  hardlink(path: string, target: string, mayMiss: boolean): void {
    if (mayMiss) this.#begin(OPCODES.linkat.code, REPLACE | OPTIONAL, [ENOENT]);
    else this.#begin(OPCODES.linkat.code, REPLACE);
    this.#numbers(AT_FDCWD, AT_FDCWD, 0);
    this.#frames.binary(target);
    this.#frames.binary(path);
    this.#frames.end();
  }

  /** A FIFO or a device. */
  node(path: string, entry: TarEntry): void {
    const isFifo = entry.type === 'fifo';
    this.#begin(OPCODES.mknodat.code, REPLACE);
    this.#numbers(AT_FDCWD, (NODE_BITS[entry.type] ?? 0) | (entry.mode & 0o777), isFifo ? 0 : entry.major, isFifo ? 0 : entry.minor);
    this.#frames.binary(path);
    this.#frames.end();
    if (this.#isOwned(entry)) this.#pathOwner(path, entry);
    if (entry.mode & SPECIAL_BITS) {
      this.#begin(OPCODES.fchmodat.code);
      this.#numbers(AT_FDCWD, entry.mode);
      this.#frames.binary(path);
      this.#frames.end();
    }
    this.#pathXattrs(path, entry.xattrs);
    this.#pathTimes(path, entry.mtimeSeconds, entry.mtimeNanoseconds);
  }

  removeTree(path: string): void {
    this.#pathOp(OPCODES.rmtree.code, path, [ENOENT]);
  }

  /** Hides a name of the layers below. @param isSeed the tree has that name from a layer below */
  whiteout(path: string, isSeed: boolean): void {
    if (this.#marks === 'files') {
      this.#hideByFile(path, isSeed);
      return;
    }
    // Something that the layer itself has at that name hides what is below just as well; a seed is what is below.
    if (isSeed) this.#begin(OPCODES.mknodat.code, REPLACE);
    else this.#begin(OPCODES.mknodat.code, OPTIONAL, NOTHING_TO_HIDE);
    this.#numbers(AT_FDCWD, S_IF.IFCHR, 0, 0);
    this.#frames.binary(path);
    this.#frames.end();
  }

  /** Hides what the layers below have in a directory. */
  opaque(path: string): void {
    if (this.#marks === 'files') this.#emptyFile(path ? `${path}/${OPAQUE_FILE}` : OPAQUE_FILE);
    else this.#setXattr(path, this.#ids === 'host' ? 'trusted.overlay.opaque' : 'user.overlay.opaque', Buffer.from('y'), [ENOENT, ENOTDIR]);
  }

  /**
   * Creates the file that hides a name below, unless the layer itself has something at that name: in one directory the two would contradict
   * each other. A directory takes the place if it is free, and what cannot be moved into it stays: no op can ask.
   */
  #hideByFile(path: string, isSeed: boolean): void {
    const file = whiteoutFile(path);
    if (isSeed) {
      this.removeTree(path);
      this.#emptyFile(file);
      return;
    }
    this.#begin(OPCODES.mkdirat.code);
    this.#numbers(AT_FDCWD, 0o700);
    this.#frames.binary(PLACE);
    this.#frames.end();
    this.#emptyFile(file);
    this.#rename(PLACE, path, [ENOTDIR, EEXIST, ENOTEMPTY, ENOENT]);
    this.#rename(file, `${PLACE}/away`, [ENOENT, ENOTDIR]);
    this.#begin(OPCODES.unlinkat.code, OPTIONAL, [ENOTDIR, ENOTEMPTY, ENOENT]);
    this.#numbers(AT_FDCWD, AT.REMOVEDIR);
    this.#frames.binary(path);
    this.#frames.end();
    this.removeTree(PLACE);
  }

  #emptyFile(path: string): void {
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

  #isOwned(entry: { uid: number; gid: number }): boolean {
    return this.#ids !== 'single' && (entry.uid !== 0 || entry.gid !== 0);
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

  /** Leaves out overlayfs' marks: in an archive they are not the truth about the layer. */
  *#kept(xattrs: Xattrs): Generator<readonly [string, Buffer]> {
    if (!xattrs) return;
    for (const pair of xattrs) {
      if (isOverlayMark(pair[0])) this.droppedXattrs++;
      else yield pair;
    }
  }

  /** Not every filesystem keeps every attribute: Docker lets that pass, and so do we. */
  get #xattrErrors(): number[] {
    return this.#ids === 'host' ? [EOPNOTSUPP, ENOENT] : [EOPNOTSUPP, EPERM, ENOENT];
  }

  #pathXattrs(path: string, xattrs: Xattrs): void {
    // Only files and directories have user.* attributes: EPERM on anything else (xattr(7)).
    for (const [name, value] of this.#kept(xattrs)) this.#setXattr(path, name, value, [...this.#xattrErrors, EPERM]);
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
