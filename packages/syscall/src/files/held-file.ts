import { closeSync, fstatSync, openSync, readlinkSync, type Stats } from 'node:fs';
import { O } from '../ops/constants.js';

/** What openat(2) says about a name that is not there. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR']);

/**
 * An object of the filesystem, held by a descriptor that opens nothing (`O_PATH`): neither a FIFO nor a device notices.
 * What it is cannot change any more, whatever happens to its name.
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
   * Holds what a path of ours or of the user's leads to; its links are followed.
   *
   * @returns undefined when there is nothing
   * @throws the errno of open(2)
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

  /** Reads a link in this directory: text, which is followed nowhere. */
  linkTarget(name: string): string {
    return readlinkSync(`/proc/self/fd/${this.fd}/${name}`);
  }

  /** The path that opens this object anew, with other flags. */
  get path(): string {
    return `/proc/self/fd/${this.fd}`;
  }

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
