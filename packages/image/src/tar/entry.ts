import { S_IF, visibleBytes } from '@lamella/syscall';

/** What an entry is; GNU and PAX extension headers are taken in by the reader and never seen. */
export type EntryType = 'file' | 'hardlink' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

/** The bits that mknod(2) takes for those that it makes. */
export const NODE_BITS: Readonly<Partial<Record<EntryType, number>>> = { character: S_IF.IFCHR, block: S_IF.IFBLK, fifo: S_IF.IFIFO };

/**
 * One entry of an archive, nothing lost. Names are strings of bytes (latin1): an archive does not
 * say how its names are encoded, and Linux does not care.
 */
export interface TarEntry {
  readonly type: EntryType;
  readonly name: string;
  /** Target of a link. */
  readonly linkname: string;
  /** Permission bits with set-user-id, set-group-id and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Size of the file, holes included. */
  readonly size: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly major: number;
  readonly minor: number;
  /** Extended attributes by name; undefined when there are none. */
  readonly xattrs: ReadonlyMap<string, Buffer> | undefined;
}

/** Returns a name for people: in one line, with control characters and bytes that are not UTF-8 escaped. */
export function printable(name: string): string {
  const safe = visibleBytes(Buffer.from(name, 'latin1'));
  return safe.length > 200 ? `${safe.slice(0, 120)}…${safe.slice(-60)} (${name.length} bytes)` : safe;
}
