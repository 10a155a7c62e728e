import {
  type Compared,
  isOwnAttribute,
  type ObjectType,
  objectType,
  ownMountNamespace,
  type Program,
  parseCompared,
  type Reply,
  type Running,
  start,
  textOf,
  type Walked,
} from '@lamella/syscall';
import type { ChangesOptions } from './changes-options.js';
import { CHANGES_OPTIONS, read } from './option-shapes.js';
import { inodeOf, originOf } from './origin.js';
import { openSides, type Upper } from './sides.js';

/** What a modified object has that the one before had not. A link's target is its content, and so is a device's number. */
export type Aspect = 'type' | 'content' | 'mode' | 'owner' | 'xattr' | 'mtime' | 'links';

/** An object as it is, or was. */
export interface ObjectState {
  readonly type: ObjectType;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of a file; 0 of others. */
  readonly size: number;
  /** Of a symbolic link. */
  readonly target?: string;
  /** How many names it has, if there are several. Directories have one. */
  readonly links?: number;
}

/** One object that an upper adds, changes or hides. */
export interface Change {
  readonly kind: 'added' | 'modified' | 'deleted';
  /** As seen inside: absolute. Bytes that are not UTF-8 have the form of `textOf` in @lamella/syscall. */
  readonly path: string;
  /** Its bytes below the top, as latin1: without the first slash. */
  readonly name: string;
  /** What is different, of a modified object. */
  readonly aspects: readonly Aspect[];
  readonly before: ObjectState | undefined;
  readonly after: ObjectState | undefined;
  /**
   * Of a file that was renamed, where overlayfs records that: where it was, of the one that is there now, or where it is, of the one that
   * was deleted. The second of the two has it.
   */
  readonly renamed?: string;
  /** Everything that the kernel reports of both. */
  readonly compared: Compared;
}

/** Changes that wait for a reader before the comparison waits, too. */
const AHEAD = 512;

/**
 * What an upper did to its lowers, sorted by path, parents before children. Each hidden object
 * is listed, also those in a removed or replaced directory. Directories in which only the names
 * changed are left out.
 *
 * Source of the rules: Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".
 *
 * @throws SyscallError, when a directory is missing or an overlay cannot be mounted
 */
export async function* changesOf(upper: Upper, options: ChangesOptions = {}): AsyncGenerator<Change> {
  const { otherNames = false } = read('changesOf(upper, options)', options, CHANGES_OPTIONS);
  // As they came: what is made of them is gone again before V8 thinks that it needs room for what lives longer.
  let waiting: Buffer[] = [];
  let failure: unknown;
  let over = false;
  let left = false;
  const renames = new Renames();
  let wake = Promise.withResolvers<void>();
  const onReply = (reply: Reply): void => {
    if (left || reply.kind !== 'data') return;
    waiting.push(reply.data);
    wake.resolve();
    if (waiting.length === AHEAD) running.pause();
  };
  const sides = await openSides(upper);
  const program: Program = [...ownMountNamespace(), ...sides.program, { op: 'compare', dirfd: sides.upper, rootfd: sides.lower, marks: sides.marks }];
  const running: Running = start(program, { onReply });
  running.result
    .catch((error: unknown) => {
      failure = error;
    })
    .finally(() => {
      over = true;
      wake.resolve();
    });
  try {
    for (;;) {
      const batch = waiting;
      waiting = [];
      wake = Promise.withResolvers<void>();
      if (batch.length) {
        for (const data of batch) {
          const change = changeOf(parseCompared(data));
          if (!change || (!otherNames && change.aspects.length === 1 && change.aspects[0] === 'links')) continue;
          const renamed = renames.add(change);
          yield renamed === undefined ? change : { ...change, renamed };
        }
        running.resume();
      } else if (over) {
        if (failure) throw failure;
        return;
      } else await wake.promise;
    }
  } finally {
    if (!over) {
      left = true;
      running.resume();
      running.abort();
      // Nobody waits for what it had to say any more.
      await running.result.catch(() => undefined);
    }
  }
}

/** What came with a history, and what went, until the other half of it is seen. */
class Renames {
  readonly #come = new Map<bigint, string>();
  readonly #gone = new Map<bigint, string>();

  /** @returns the other name of a file that was renamed */
  add({ kind, path, compared: { upper, lower } }: Change): string | undefined {
    if (upper) {
      const origin = originOf(upper);
      // What is still where it was has only been changed.
      if (origin === undefined || (lower && inodeOf(lower) === origin)) return undefined;
      const from = this.#gone.get(origin);
      if (from === undefined) this.#come.set(origin, path);
      return from;
    }
    // Of a file with several names the others keep it.
    if (kind !== 'deleted' || !lower || objectType(lower) !== 'file' || lower.links > 1) return undefined;
    const inode = inodeOf(lower);
    const to = this.#come.get(inode);
    if (to === undefined) this.#gone.set(inode, path);
    return to;
  }
}

function changeOf(compared: Compared): Change | undefined {
  const { upper, lower } = compared;
  const name = (upper ?? lower)?.name ?? '';
  const aspects = upper && lower ? aspectsOf(compared, upper, lower) : [];
  if (upper && lower && !aspects.length) return undefined;
  return {
    kind: upper ? (lower ? 'modified' : 'added') : 'deleted',
    path: `/${textOf(Buffer.from(name, 'latin1'))}`,
    name,
    aspects,
    before: lower && stateOf(lower),
    after: upper && stateOf(upper),
    compared,
  };
}

function stateOf(object: Walked): ObjectState {
  const type = typeOf(object);
  return {
    type,
    mode: object.mode & 0o7777,
    uid: object.uid,
    gid: object.gid,
    size: type === 'file' ? object.size : 0,
    ...(type !== 'directory' && object.links > 1 ? { links: object.links } : {}),
    ...(type === 'symlink' ? { target: textOf(Buffer.from(object.target, 'latin1')) } : {}),
  };
}

function typeOf(object: Walked): ObjectType {
  return objectType(object) ?? 'file';
}

function aspectsOf({ contentDiffers }: Compared, upper: Walked, lower: Walked): Aspect[] {
  const type = typeOf(upper);
  const sameType = type === typeOf(lower);
  const content = contentDiffers || upper.target !== lower.target || upper.major !== lower.major || upper.minor !== lower.minor;
  const aspects: Aspect[] = [];
  if (!sameType) aspects.push('type');
  else if (content) aspects.push('content');
  // Links do not have a mode.
  if (sameType && type !== 'symlink' && (upper.mode & 0o7777) !== (lower.mode & 0o7777)) aspects.push('mode');
  if (upper.uid !== lower.uid || upper.gid !== lower.gid) aspects.push('owner');
  if (attributesOf(upper) !== attributesOf(lower)) aspects.push('xattr');
  // That of a directory changes with every name in it; that of a file with its content.
  const moved = upper.mtimeSeconds !== lower.mtimeSeconds || upper.mtimeNanoseconds !== lower.mtimeNanoseconds;
  if (!aspects.length && type !== 'directory' && moved) aspects.push('mtime');
  if (sameType && type !== 'directory' && linksDiffer(upper, lower, aspects)) aspects.push('links');
  return aspects;
}

/**
 * Whether an object has other names than before. A copy-up alone breaks links, and does not count while the file itself is the same: then only
 * names that were given inside count.
 */
function linksDiffer(upper: Walked, lower: Walked, aspects: readonly Aspect[]): boolean {
  if (aspects.length) return upper.links !== lower.links;
  const isLower = upper.ctimeSeconds === lower.ctimeSeconds && upper.ctimeNanoseconds === lower.ctimeNanoseconds;
  return upper.links > 1 && !isLower;
}

/** Marks of overlayfs say where a tree was, not what it is. */
function attributesOf({ xattrs }: Walked): string {
  if (!xattrs.length) return '';
  return xattrs
    .filter(([name]) => isOwnAttribute(name))
    .map(([name, value]) => `${name}=${value.toString('latin1')}`)
    .sort()
    .join('\0');
}
