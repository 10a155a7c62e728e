import { type BigIntStats, lstatSync } from 'node:fs';
import { observedReads } from '../replay/observed-reads.js';

/** A file that changed so short before it was read may change again without another time: one tick of the kernel's clock is at most 10 ms. */
const RACY_NANOSECONDS = 100_000_000n;
const NANOSECONDS_PER_MILLISECOND = 1_000_000n;

interface Remembered<T> {
  readonly value: T;
  /** What the files were when the value was made. */
  readonly identity: string;
}

/**
 * Values that were made from files of this machine, each until one of its files changes. A file is unchanged while its device, inode, mode,
 * size and times are: every change of an inode changes its ctime. The values are shared, so nobody may change them.
 */
export class FileMemory<T> {
  readonly #most: number;
  readonly #kept = new Map<string, Remembered<T>>();

  /** @param most how many values are kept; the oldest go first */
  constructor(most = 64) {
    this.#most = most;
  }

  /**
   * Returns what `make` made before, if no file has changed since, or calls it.
   *
   * @param files absolute paths of all that `make` reads. One may be missing, as long as it stays missing
   * @throws what `make` throws; it is called again the next time then
   */
  get(key: string, files: readonly string[], make: () => T): T {
    // A record of a run lists what was read, which has to be read for that.
    if (observedReads()) return make();
    const before = identityOf(files);
    const kept = this.#kept.get(key);
    if (kept && kept.identity === before) return kept.value;
    this.#kept.delete(key);
    const value = make();
    if (before === undefined || before !== identityOf(files)) return value;
    this.#kept.set(key, { value, identity: before });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.#most && oldest !== undefined) this.#kept.delete(oldest);
    return value;
  }
}

/** Returns undefined where a file is a link, cannot be looked at, or has changed just now. */
function identityOf(files: readonly string[]): string | undefined {
  const settled = BigInt(Date.now()) * NANOSECONDS_PER_MILLISECOND - RACY_NANOSECONDS;
  let identity = '';
  for (const file of files) {
    let stat: BigIntStats | undefined;
    try {
      stat = lstatSync(file, { bigint: true, throwIfNoEntry: false });
    } catch {
      return undefined;
    }
    if (stat && (stat.isSymbolicLink() || stat.ctimeNs > settled)) return undefined;
    identity += stat ? `${stat.dev} ${stat.ino} ${stat.mode} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}\n` : '-\n';
  }
  return identity;
}
