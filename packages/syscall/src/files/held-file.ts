import { closeSync, fstatSync, openSync, readlinkSync, type Stats } from 'node:fs';
import { O } from '../ops/constants.js';

/** Errors of openat(2) for a missing name. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR']);

/**
 * A filesystem object held by an `O_PATH` descriptor, which does not open FIFOs or devices. It stays the same object if its name
 * changes.
 *
 * @see open(2), "O_PATH"
 */
export class HeldFile implements Disposable {
  readonly fd: number;
  readonly stat: Stats;

  private constructor(fd: number) {
    this.fd = fd;
    this.stat = fstatSync(fd);
  }

  /**
   * Holds the object at a path, following links.
   *
   * @returns undefined if there is none
   * @throws the error of open(2)
   */
  static at(path: string | Buffer): HeldFile | undefined {
    return hold(path, O.PATH, (fd) => new HeldFile(fd));
  }

  /**
   * Holds an entry of this directory itself: a link is not followed.
   *
   * @param name one component, neither `.` nor `..`
   * @returns undefined when there is none
   */
  entry(name: string): HeldFile | undefined {
    return hold(`/proc/self/fd/${this.fd}/${name}`, O.PATH | O.NOFOLLOW, (fd) => new HeldFile(fd));
  }

  /** Returns the target of a link in this directory as text. */
  linkTarget(name: string): string {
    return readlinkSync(`/proc/self/fd/${this.fd}/${name}`);
  }

  /** The path that opens this object again with other flags. */
  get path(): string {
    return `/proc/self/fd/${this.fd}`;
  }

  /** Closes the descriptor. */
  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

function hold(path: string | Buffer, flags: number, make: (fd: number) => HeldFile): HeldFile | undefined {
  try {
    return make(openSync(path, flags));
  } catch (error) {
    if (ABSENT.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
