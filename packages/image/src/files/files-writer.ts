import { AT, AT_FDCWD, bytesOf, FrameWriter, type IdMapping, isOverlayMark, O, type Op, type Program, UTIME } from '@lamella/syscall';
import { entryPath } from '../layer/entry-path.js';
import { ImageError } from '../model/image-error.js';
import { DATA_MAX, type OpWriter } from '../tar/archive-feed.js';
import { EntriesInFlight } from '../tar/entries-in-flight.js';
import { NODE_BITS, printable, type TarEntry } from '../tar/entry.js';

/** Slots of a writer: the file being written, a directory on the way somewhere. From 20 on they are free for the program that opens the top. */
const [FILE, DIRECTORY] = [5, 6] as const;
const SPECIAL_BITS = 0o7000;

/** Where files go, and as what. */
export interface FilesTarget {
  /** Ops after which `top` is taken; slots from 20 on are free for them. */
  readonly enter: Program;
  /** Slot of the directory that every path is looked up from. */
  readonly top: number;
  /** Path from there to the directory that files are put into. */
  readonly directory: string;
  /** How a path is looked up (openat2(2), `resolve`). */
  readonly resolve: number;
  /** Which ids there are. In a user namespace a device is an error (`COPY_FAILED`); with one id owners are not kept, either. */
  readonly ids: IdMapping['kind'];
  /** Whose the files are to be, whatever the archive says. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

interface DirectoryMetadata extends Pick<TarEntry, 'mode' | 'uid' | 'gid' | 'mtimeSeconds' | 'mtimeNanoseconds' | 'xattrs'> {}

/**
 * Turns the entries of an archive into ops that put them among the files of a directory, as `docker cp` does: directories are merged, a file or link
 * takes the place of another, and neither a directory of a file nor a file of a directory.
 *
 * Another process may exchange directories for links meanwhile. So every directory is looked up from the top as `resolve` says, and becomes the
 * working directory; the names that ops have are names in it, and none of them follows a link.
 */
export class FilesWriter implements OpWriter {
  readonly #frames = new FrameWriter(1 << 20);
  readonly #target: FilesTarget;
  /** Directories that were listed. They get their metadata at the end, after what is in them. */
  readonly #directories = new Map<string, DirectoryMetadata>();
  /** Directories that are there for sure. */
  readonly #known = new Set<string>(['']);
  readonly #inFlight = new EntriesInFlight();
  /** The working directory; undefined before the first. */
  #at: string | undefined;
  #open: TarEntry | undefined;
  #written = 0;

  constructor(target: FilesTarget) {
    this.#target = target;
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

  get entries(): number {
    return this.#inFlight.count;
  }

  /** The entry that an op was for, as its bytes; undefined for one of {@link begin}. */
  nameOf(index: number): string | undefined {
    return this.#inFlight.find(index)?.name;
  }

  entry(listed: TarEntry): void {
    const entry = this.#target.owner ? { ...listed, ...this.#target.owner } : listed;
    this.#begin(entry.name);
    const path = entryPath(entry.name);
    if (path === '') {
      // The directory that files are put into is not one of them.
      if (entry.type === 'directory') return;
      throw this.#refuse(entry, 'would replace the directory that it is copied into');
    }
    const slash = path.lastIndexOf('/');
    this.#enter(path.slice(0, Math.max(0, slash)));
    const name = bytes(path.slice(slash + 1));
    switch (entry.type) {
      case 'file':
        this.#openFile(name, entry);
        break;
      case 'directory':
        this.#directory(path, name, entry);
        break;
      case 'symlink':
        if (!entry.linkname || entry.linkname.includes('\0')) throw this.#refuse(entry, 'is a symbolic link to nothing');
        this.#clear(name);
        this.#op({ op: 'symlinkat', target: bytes(entry.linkname), newdirfd: AT_FDCWD, linkpath: name });
        this.#finishName(name, entry);
        break;
      case 'hardlink':
        this.#hardlink(path, name, entry);
        break;
      default:
        this.#node(name, entry);
    }
  }

  data(chunk: Buffer, offset: number): void {
    if (!this.#open) return;
    if (offset !== this.#written) {
      this.#op({ op: 'lseek', fd: FILE, offset, whence: 0 });
      this.#written = offset;
    }
    for (let at = 0; at < chunk.length; at += DATA_MAX) {
      const piece = chunk.subarray(at, at + DATA_MAX);
      this.#op({ op: 'write', fd: FILE, buf: piece });
      this.#written += piece.length;
    }
  }

  end(): void {
    const entry = this.#open;
    if (!entry) return;
    this.#open = undefined;
    if (this.#written < entry.size) this.#op({ op: 'ftruncate', fd: FILE, length: entry.size });
    if (this.#isOwned(entry)) this.#op({ op: 'fchownat', dirfd: FILE, pathname: '', owner: entry.uid, group: entry.gid, flags: AT.EMPTY_PATH });
    // Changing the owner cleared them.
    if (entry.mode & SPECIAL_BITS) this.#op({ op: 'fchmod', fd: FILE, mode: entry.mode });
    for (const [name, value] of wanted(entry)) this.#op({ op: 'fsetxattr', fd: FILE, name, value, flags: 0, ignore: this.#xattrErrors });
    this.#op({ op: 'utimensat', dirfd: FILE, pathname: null, flags: 0, ...timesOf(entry) });
    this.#op({ op: 'close', fd: FILE });
  }

  /** What waits for the end: the directories' own, the deepest first. Yields when frames are worth sending. */
  *finish(): Generator<void> {
    for (const [path, directory] of [...this.#directories].toReversed()) {
      this.#begin(path);
      this.#openDirectory(path, O.RDONLY);
      if (this.#target.ids !== 'single' && (this.#target.owner === undefined || this.#isOwned(directory)))
        this.#op({ op: 'fchownat', dirfd: DIRECTORY, pathname: '', owner: directory.uid, group: directory.gid, flags: AT.EMPTY_PATH });
      this.#op({ op: 'fchmod', fd: DIRECTORY, mode: directory.mode });
      for (const [name, value] of wanted(directory)) this.#op({ op: 'fsetxattr', fd: DIRECTORY, name, value, flags: 0, ignore: this.#xattrErrors });
      this.#op({ op: 'utimensat', dirfd: DIRECTORY, pathname: null, flags: 0, ...timesOf(directory) });
      this.#op({ op: 'close', fd: DIRECTORY });
      if (this.pending > DATA_MAX) yield;
    }
  }

  /** From here on ops are for this name. */
  #begin(name: string): void {
    this.#inFlight.begin(this.#frames.index, name);
  }

  #op(op: Op): void {
    this.#frames.op(op);
  }

  /** Whether it belongs to another user than the writing one. */
  #isOwned({ uid, gid }: { readonly uid: number; readonly gid: number }): boolean {
    return this.#target.ids !== 'single' && (uid !== 0 || gid !== 0);
  }

  #openDirectory(path: string, flags: number): void {
    const { top, directory, resolve } = this.#target;
    const pathname = bytes([bytesOf(directory).toString('latin1'), path].filter(Boolean).join('/') || '.');
    this.#op({ op: 'openat2', dirfd: top, pathname, flags: flags | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC, mode: 0, resolve, out: DIRECTORY });
  }

  /** Makes a directory the working one; it, and those above it, are made where they are missing. */
  #enter(path: string): void {
    if (path === this.#at) return;
    if (!this.#known.has(path)) {
      const slash = path.lastIndexOf('/');
      this.#enter(path.slice(0, Math.max(0, slash)));
      this.#op({ op: 'mkdirat', dirfd: AT_FDCWD, pathname: bytes(path.slice(slash + 1)), mode: 0o755, ignore: ['EEXIST'] });
      this.#known.add(path);
    }
    const { top, directory, resolve } = this.#target;
    const pathname = bytes([bytesOf(directory).toString('latin1'), path].filter(Boolean).join('/') || '.');
    // A link to a directory is one on the way here, if links are followed at all.
    this.#op({ op: 'openat2', dirfd: top, pathname, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, resolve, out: DIRECTORY });
    this.#op({ op: 'fchdir', fd: DIRECTORY });
    this.#op({ op: 'close', fd: DIRECTORY });
    this.#at = path;
  }

  /** Removes what is in the way of a file, except a directory: copying one file must not remove a tree. */
  #clear(name: Buffer): void {
    this.#op({ op: 'unlinkat', dirfd: AT_FDCWD, pathname: name, flags: 0, ignore: ['ENOENT'] });
  }

  #openFile(name: Buffer, entry: TarEntry): void {
    this.#clear(name);
    const mode = entry.mode & SPECIAL_BITS ? entry.mode & 0o700 : entry.mode;
    this.#op({ op: 'openat', dirfd: AT_FDCWD, pathname: name, flags: O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC, mode, out: FILE });
    this.#open = entry;
    this.#written = 0;
  }

  #directory(path: string, name: Buffer, entry: TarEntry): void {
    // The owner's bits stay until all of it is there, so that this process can write into it.
    this.#op({ op: 'mkdirat', dirfd: AT_FDCWD, pathname: name, mode: (entry.mode & 0o777) | 0o700, ignore: ['EEXIST'] });
    // Something else of that name is not a directory, and a link to one is not, either.
    this.#op({ op: 'openat', dirfd: AT_FDCWD, pathname: name, flags: O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC, mode: 0, out: DIRECTORY });
    this.#op({ op: 'close', fd: DIRECTORY });
    this.#known.add(path);
    this.#directories.delete(path);
    this.#directories.set(path, entry);
  }

  #hardlink(path: string, name: Buffer, entry: TarEntry): void {
    const target = entryPath(entry.linkname, entry.name);
    if (!target) throw this.#refuse(entry, 'is a hard link to nothing');
    if (target === path) return;
    this.#clear(name);
    const slash = target.lastIndexOf('/');
    this.#openDirectory(target.slice(0, Math.max(0, slash)), O.PATH);
    this.#op({ op: 'linkat', olddirfd: DIRECTORY, oldpath: bytes(target.slice(slash + 1)), newdirfd: AT_FDCWD, newpath: name, flags: 0 });
    this.#op({ op: 'close', fd: DIRECTORY });
  }

  #node(name: Buffer, entry: TarEntry): void {
    if (this.#target.ids !== 'host' && entry.type !== 'fifo') throw this.#refuse(entry, 'is a device, which an ordinary user cannot make');
    this.#clear(name);
    const isFifo = entry.type === 'fifo';
    this.#op({
      op: 'mknodat',
      dirfd: AT_FDCWD,
      pathname: name,
      mode: (NODE_BITS[entry.type] ?? 0) | (entry.mode & 0o777),
      major: isFifo ? 0 : entry.major,
      minor: isFifo ? 0 : entry.minor,
    });
    this.#finishName(name, entry);
  }

  /** Owner, attributes and times of what is not opened. */
  #finishName(name: Buffer, entry: TarEntry): void {
    if (this.#isOwned(entry)) this.#op({ op: 'fchownat', dirfd: AT_FDCWD, pathname: name, owner: entry.uid, group: entry.gid, flags: AT.SYMLINK_NOFOLLOW });
    // user.* attributes belong to files and directories only: EPERM on anything else (xattr(7)).
    for (const [attribute, value] of wanted(entry))
      this.#op({ op: 'lsetxattr', path: name, name: attribute, value, flags: 0, ignore: [...this.#xattrErrors, 'EPERM'] });
    this.#op({ op: 'utimensat', dirfd: AT_FDCWD, pathname: name, flags: AT.SYMLINK_NOFOLLOW, ...timesOf(entry) });
  }

  /** Not every filesystem keeps every attribute: Docker lets that pass, and so do we. */
  get #xattrErrors(): string[] {
    return this.#target.ids === 'host' ? ['EOPNOTSUPP'] : ['EOPNOTSUPP', 'EPERM'];
  }

  #refuse(entry: TarEntry, what: string): ImageError {
    return new ImageError({ code: 'COPY_FAILED', message: `'${printable(entry.name)}' ${what}`, hint: 'Leave it out.' });
  }
}

/** Names are kept as their bytes. */
function bytes(name: string): Buffer {
  return Buffer.from(name, 'latin1');
}

function timesOf({ mtimeSeconds, mtimeNanoseconds }: Pick<TarEntry, 'mtimeSeconds' | 'mtimeNanoseconds'>) {
  return { atime_sec: 0, atime_nsec: UTIME.OMIT, mtime_sec: mtimeSeconds, mtime_nsec: mtimeNanoseconds };
}

/** Overlayfs would take its own marks for the truth about a layer. */
function wanted({ xattrs }: Pick<TarEntry, 'xattrs'>): (readonly [name: Buffer, value: Buffer])[] {
  return [...(xattrs ?? [])].filter(([name]) => !isOverlayMark(name)).map(([name, value]) => [bytes(name), value] as const);
}
