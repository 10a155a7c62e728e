/** What an entry is; GNU and PAX extension headers are taken in by the reader and never seen. */
export type EntryType = 'file' | 'hardlink' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

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

/** A name for people: valid UTF-8 as it is, other bytes and control characters escaped. */
export function printable(name: string): string {
  const text = Buffer.from(name, 'latin1').toString('utf8');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal
  const safe = text.includes('\ufffd') ? name.replace(/[^\x20-\x7e]/g, escapeByte) : text.replace(/[\x00-\x1f\x7f-\x9f]/g, escapeByte);
  return safe.length > 200 ? `${safe.slice(0, 120)}…${safe.slice(-60)} (${name.length} bytes)` : safe;
}

const escapeByte = (c: string): string => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`;
