import { createHash } from 'node:crypto';
import { isOwnAttribute, type Seen, seenOf, type Time, type Walked } from '@lamella/syscall';

/** What was written down of an object, to know it again and to tell whether anything of it was changed. */
export interface Fingerprint extends Seen {
  /** A digest of the object's extended attributes, a link's target and a device's number; empty when it has none of them. */
  readonly rest: string;
}

/** Returns what is to be written down of an object. */
export function fingerprintOf(object: Walked): Fingerprint {
  return { ...seenOf(object), rest: restOf(object) };
}

/** Returns what makes two objects different beside their permissions, owner, size and times, as text; empty for none of it. */
export function restOf({ xattrs, target, major, minor, mode }: Walked): string {
  const own = xattrs.filter(([name]) => isOwnAttribute(name)).map(([name, value]) => `${name}=${value.toString('latin1')}`);
  const device = isDevice(mode) ? [`${major}:${minor}`] : [];
  const all = [...own.sort(), ...device, target];
  return all.some(Boolean) ? createHash('sha256').update(all.join('\0')).digest('base64url') : '';
}

const TYPE = 0o170000;
const isDevice = (mode: number): boolean => (mode & TYPE) === 0o020000 || (mode & TYPE) === 0o060000;

export const isDirectoryMode = (mode: number): boolean => (mode & TYPE) === 0o040000;

const sameTime = ([a, b]: Time, [c, d]: Time): boolean => a === c && b === d;

/** Whether the filesystem kept when an object was made. */
export const hasBirth = ({ btime }: Seen): boolean => btime[0] !== 0 || btime[1] !== 0;

/** Whether two are the same object: the inode, its type, and when it was made. */
export function isIdentical(a: Seen, b: Seen): boolean {
  return a.ino === b.ino && (a.mode & TYPE) === (b.mode & TYPE) && sameTime(a.btime, b.btime);
}

/** Whether an object is the same, and has the permissions, owner and attributes that it had. */
export function hasSameMetadata(a: Fingerprint, b: Fingerprint): boolean {
  return isIdentical(a, b) && a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.rest === b.rest;
}

/**
 * Whether an object is the same and looks as it did. Its ctime may be another: links and renames change that, ours too. Of a directory the
 * names in it are not looked at.
 */
export function looksSame(a: Fingerprint, b: Fingerprint): boolean {
  return hasSameMetadata(a, b) && (isDirectoryMode(a.mode) || (a.size === b.size && sameTime(a.mtime, b.mtime)));
}

/** Whether nothing of an object was changed: nobody can set its ctime. */
export function isUntouched(a: Fingerprint, b: Fingerprint): boolean {
  return looksSame(a, b) && sameTime(a.ctime, b.ctime) && sameTime(a.mtime, b.mtime);
}

/** Whether a time is not before another, in doubt. */
export function isSince([seconds, nanoseconds]: Time, since: Date): boolean {
  return seconds * 1000 + nanoseconds / 1e6 >= since.getTime();
}

export { sameTime };
