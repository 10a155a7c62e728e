import {
  AT_FDCWD,
  type Compared,
  isOverlayMark,
  isOwnAttribute,
  MARKS,
  O,
  type Op,
  ownMountNamespace,
  parseCompared,
  parseWalked,
  run,
  S_IF,
  SyscallError,
  textOf,
  type Walked,
} from '@lamella/syscall';
import type { TreeDifference, TreeDifferences } from '../model/tree-differences.js';
import type { LayerMeta } from '../store/layer-meta.js';

/** How many are listed; of a missing tree all differ. */
const DIFFERENCES_TOLD = 20;

const FIRST = 10;
const SECOND = 11;

/**
 * Compares the tree of a layer with another one that was made from the same blob: names, types, owners, modes, times, attributes,
 * contents, and which names are one file. Times of directories that the layer does not list are those of their making.
 *
 * @param found absolute path of what there is
 * @param wanted absolute path of what there should be
 */
export async function compareTrees(found: string, wanted: string, meta: Pick<LayerMeta, 'implied' | 'marks'>): Promise<TreeDifferences> {
  const differences = new Differences(meta);
  const open = (pathname: string, out: number): Op => ({
    op: 'openat',
    dirfd: AT_FDCWD,
    pathname,
    flags: O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC,
    mode: 0,
    out,
  });
  const tops: Walked[] = [];
  try {
    await run(
      [
        ...ownMountNamespace(),
        open(found, FIRST),
        open(wanted, SECOND),
        { op: 'statx', dirfd: FIRST, pathname: '.' },
        { op: 'statx', dirfd: SECOND, pathname: '.' },
        { op: 'compare', dirfd: FIRST, rootfd: SECOND, marks: MARKS.none },
      ],
      {
        onReply(reply) {
          if (reply.kind !== 'data') return;
          if (tops.length < 2) {
            tops.push(parseWalked(reply.data));
            const [upper, lower] = tops;
            if (upper && lower) differences.add({ upper: { ...upper, name: '' }, lower: { ...lower, name: '' }, contentDiffers: false });
          } else differences.add(parseCompared(reply.data));
        },
      },
    );
  } catch (error) {
    // A directory of another user, or a part of the disk that cannot be read: a new tree has neither.
    if (!(error instanceof SyscallError) || !UNREADABLE.has(error.code)) throw error;
    differences.unreadable(error.code);
  }
  return differences;
}

/** What a tree is not read for, and its blob is. */
const UNREADABLE = new Set(['EACCES', 'EIO', 'ENOENT', 'ENOTDIR', 'ELOOP', 'EOVERFLOW', 'EUCLEAN']);

/** A tree that is not there. */
export function goneTree(): TreeDifferences {
  return { count: 1, first: [{ path: '.', what: 'is missing' }] };
}

class Differences implements TreeDifferences {
  count = 0;
  readonly first: TreeDifference[] = [];
  readonly #untimed: ReadonlySet<string>;
  readonly #markFiles: boolean;
  /** The first name of each file of several, on either side. */
  readonly #names: readonly [Map<string, string>, Map<string, string>] = [new Map(), new Map()];

  constructor({ implied, marks }: Pick<LayerMeta, 'implied' | 'marks'>) {
    // The top is seldom listed, and has then the time of what was made in it last.
    this.#untimed = new Set(['', ...implied]);
    this.#markFiles = marks === 'files';
  }

  add({ upper: found, lower: wanted, contentDiffers }: Compared): void {
    const name = textOf(Buffer.from((found ?? wanted)?.name ?? '', 'latin1'));
    const what = !found ? 'is missing' : !wanted ? 'does not belong there' : this.#differs(name, found, wanted, contentDiffers);
    if (what === undefined) return;
    this.count++;
    if (this.first.length < DIFFERENCES_TOLD) this.first.push({ path: name || '.', what });
  }

  unreadable(code: string): void {
    this.count++;
    this.first.push({ path: '.', what: `cannot be read to its end: ${code}` });
  }

  #differs(name: string, found: Walked, wanted: Walked, contentDiffers: boolean): string | undefined {
    const type = found.mode >> 12;
    if (type !== wanted.mode >> 12) return 'is something else';
    const directory = type === S_IF.IFDIR >> 12;
    const aspects = [
      ...(contentDiffers || found.target !== wanted.target || found.major !== wanted.major || found.minor !== wanted.minor ? ['content'] : []),
      ...((found.mode & 0o7777) !== (wanted.mode & 0o7777) ? ['mode'] : []),
      ...(found.uid !== wanted.uid || found.gid !== wanted.gid ? ['owner'] : []),
      ...(attributes(found) !== attributes(wanted) ? ['attributes'] : []),
      ...(this.#timed(name, wanted) && (found.mtimeSeconds !== wanted.mtimeSeconds || found.mtimeNanoseconds !== wanted.mtimeNanoseconds) ? ['time'] : []),
      ...(!directory && this.#firstName(0, found) !== this.#firstName(1, wanted) ? ['hard links'] : []),
    ];
    return aspects.length ? `has another ${aspects.join(', ')}` : undefined;
  }

  /** What the layer says nothing of has the time of its making: directories on the way, and marks of overlayfs. */
  #timed(name: string, { mode, major, minor }: Walked): boolean {
    if (mode >> 12 === S_IF.IFCHR >> 12 && !major && !minor) return false;
    if (this.#markFiles && /(?:^|\/)\.wh\.[^/]*$/.test(name)) return false;
    return !this.#untimed.has(name);
  }

  #firstName(side: 0 | 1, { links, inode, name }: Walked): string {
    if (links < 2) return name;
    const known = this.#names[side].get(inode);
    if (known === undefined) this.#names[side].set(inode, name);
    return known ?? name;
  }
}

function attributes({ xattrs }: Walked): string {
  return xattrs
    .filter(([name]) => isOwnAttribute(name) || isOverlayMark(name))
    .map(([name, value]) => `${name}=${value.toString('latin1')}`)
    .toSorted()
    .join('\0');
}

/** Since when a tree is known to be what it should be, in milliseconds since the epoch. */
export interface Known {
  readonly since: number;
  /** The same of files with several names: another tree that is linked to them (rebase-layer.ts) changed their ctime. */
  readonly linked: number;
}

/**
 * Whether nothing in a tree was touched after it was unpacked: programs cannot set the time of an object's last change (ctime).
 *
 * @returns false also when the tree is gone
 */
export async function isUntouched(tree: string, { since, linked }: Known): Promise<boolean> {
  let touched = false;
  try {
    await run(
      [
        ...ownMountNamespace(),
        { op: 'openat', dirfd: AT_FDCWD, pathname: tree, flags: O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC, mode: 0, out: FIRST },
        { op: 'walk', dirfd: FIRST, content: 0, pathname: '.' },
      ],
      {
        onReply(reply) {
          if (reply.kind !== 'data' || touched) return;
          const { mode, links, ctimeSeconds, ctimeNanoseconds } = parseWalked(reply.data);
          const several = links > 1 && mode >> 12 !== S_IF.IFDIR >> 12;
          touched = ctimeSeconds * 1000 + Math.floor(ctimeNanoseconds / 1_000_000) > (several ? Math.max(since, linked) : since);
        },
      },
    );
  } catch (error) {
    if (error instanceof SyscallError && UNREADABLE.has(error.code)) return false;
    throw error;
  }
  return !touched;
}
