import type { Time, Walked } from '@lamella/syscall';
import { EngineError } from '../../../model/engine-error.js';
import { type Fingerprint, fingerprintOf, isDirectoryMode, isUntouched, looksSame, sameTime } from '../inspect/fingerprint.js';
import type { Staged } from './steps.js';
import { splitTo, type Tree } from './targets.js';

/**
 * Compares copies with the objects that they must equal, and returns what each is, by its `to`.
 *
 * @throws EngineError `APPLY_FAILED` with the name of one that is different, and what of it
 */
export function madeAs(objects: readonly Staged[], found: Tree): Map<string, Fingerprint> {
  const made = new Map<string, Fingerprint>();
  const files = new Map<string, string>();
  for (const { to, meant, path, linkTo } of objects) {
    const object = found.get(to);
    const wrong = object ? differenceOf(meant, object) : 'it is not there';
    if (!object || wrong) throw unlike(path, wrong ?? '');
    const now = fingerprintOf(object);
    if (linkTo !== undefined && files.get(linkTo) !== now.ino) throw unlike(path, 'its links');
    files.set(to, now.ino);
    made.set(to, now);
  }
  return made;
}

function unlike(path: string, what: string): EngineError {
  return new EngineError({
    code: 'APPLY_FAILED',
    message: `the filesystem does not keep ${path} as it is meant to be: ${what}`,
    hint: 'Nothing was applied. The filesystem of the target, or of the store, cannot hold what the container made; leave this path out.',
  });
}

/** Returns what of an object is not as meant, in words; undefined when all is. */
function differenceOf(meant: Fingerprint, object: Walked): string | undefined {
  const now = fingerprintOf(object);
  const type = 0o170000;
  if ((now.mode & type) !== (meant.mode & type)) return 'its type';
  // A link's own mode says nothing.
  if ((meant.mode & type) !== 0o120000 && now.mode !== meant.mode)
    return `its mode is ${(now.mode & 0o7777).toString(8)}, not ${(meant.mode & 0o7777).toString(8)}`;
  if (now.uid !== meant.uid || now.gid !== meant.gid) return `its owner is ${now.uid}:${now.gid}, not ${meant.uid}:${meant.gid}`;
  if (!isDirectoryMode(now.mode) && (meant.mode & type) === 0o100000 && now.size !== meant.size) return `it has ${now.size} bytes, not ${meant.size}`;
  if (now.rest !== meant.rest) return 'its attributes, target or number';
  if (!isKept(meant.mtime, now.mtime)) return 'its time of modification';
  return undefined;
}

/** Whether a filesystem kept a time as well as it can: some keep seconds, or tenths of a microsecond. */
function isKept(meant: Time, kept: Time): boolean {
  if (sameTime(meant, kept)) return true;
  if (kept[1] === 0) return Math.abs(meant[0] - kept[0]) <= 2;
  return meant[0] === kept[0] && kept[1] % 100 === 0 && Math.abs(meant[1] - kept[1]) < 100;
}

/**
 * Returns the paths of what was moved away and is not what was seen there before: it came in between. The host's own
 * files keep all their times when a directory above them is renamed.
 *
 * @param moved steps that moved something away
 * @param objects what was seen, by where it is now
 * @param found what is there
 * @param linked inodes whose ctime steps of ours have changed
 */
export function cameBetween(moved: ReadonlySet<string>, objects: readonly Staged[], found: Tree, linked: ReadonlySet<string>): string[] {
  const wrong: string[] = [];
  const expected = new Set<string>();
  for (const { to, meant, path } of objects) {
    const [n, below] = splitTo(to);
    if (!moved.has(n)) continue;
    expected.add(to);
    const object = found.get(to);
    const now = object && fingerprintOf(object);
    if (!now || !isSeen(meant, now, below === '' || linked.has(now.ino))) wrong.push(path);
  }
  for (const to of found.keys()) if (moved.has(splitTo(to)[0]) && !expected.has(to)) wrong.push(splitTo(to)[1]);
  return wrong;
}

/** Whether something is what was seen. What was renamed itself, or had its links changed, has another ctime. */
function isSeen(seen: Fingerprint, now: Fingerprint, isTouched: boolean): boolean {
  if (!isTouched) return isUntouched(seen, now);
  return looksSame(seen, now) && sameTime(seen.mtime, now.mtime);
}
