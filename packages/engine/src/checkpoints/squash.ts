import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { gateOf } from '@lamella/cleanup';
import {
  AT_FDCWD,
  COPY,
  idMapping,
  lockFile,
  O,
  OPAQUE_FILE,
  type Op,
  type Program,
  parseWalked,
  runInUserNamespace,
  S_IF,
  type Walked,
  WHITEOUT,
  whiteoutFile,
} from '@lamella/syscall';
import { stateDirectory } from '../filesystem/writable-mounts.js';
import { EngineError } from '../model/engine-error.js';
import { randomId } from '../store/identifiers.js';
import { parentOf, readParent, SQUASHING } from './states.js';

/** The number of the newest states, which stay separate because users go back to them. */
export const KEPT = 8;

/** One name in the union of some uppers. */
interface Node {
  /** Which state it comes from, the oldest is 0. */
  state: number;
  object: Walked;
  /** Of a directory: nothing below these states is seen in it. */
  opaque: boolean;
  readonly children: Map<string, Node>;
}

/** Slots: where it is made, and the states from there on. */
const TARGET = 10;
const SOURCES = 11;

/**
 * Replaces the older part of a chain with one state: the same tree, of links to the same files, so that it takes names and no
 * space. The states themselves stay as long as a container can go back to them.
 *
 * @param root absolute path of the store
 * @param chain ids of what a container stands on, the latest first
 * @param files marks in them are files
 * @throws EngineError `SQUASH_IMPOSSIBLE`; SyscallError, when the disk is full
 */
export async function squash(root: string, chain: readonly string[], files: boolean): Promise<void> {
  const child = chain[KEPT - 1];
  const old = chain.slice(KEPT).toReversed();
  const newest = old.at(-1);
  if (child === undefined || newest === undefined || old.length < 2) return;
  const id = randomId();
  const staged = path.join(root, 'frozen', `${SQUASHING}${id}`);
  mkdirSync(staged, { mode: 0o700 });
  await using _lock = await lockFile(path.join(staged, 'lock'));
  try {
    const names = new Set(old.flatMap((each) => readdirSync(stateDirectory(root, each)).filter((name) => name.startsWith('upper'))));
    for (const name of names) {
      const uppers = old.map((each) => path.join(stateDirectory(root, each), name));
      await runInUserNamespace(linking(await unionOf(uppers, files), uppers, path.join(staged, name), files));
    }
    symlinkSync(newest, path.join(staged, 'squashed'));
    // A process that collects unused states does so before this, or after it.
    await using _gate = await lockFile(gateOf(path.join(root, 'containers')), { shared: true });
    renameSync(staged, stateDirectory(root, id));
    // Another process may have been faster.
    if (readParent(root, child) === newest) {
      const next = `${parentOf(root, child)}.${id}`;
      symlinkSync(id, next);
      renameSync(next, parentOf(root, child));
    }
    rmSync(path.join(stateDirectory(root, id), 'lock'), { force: true });
  } catch (error) {
    await runInUserNamespace([{ op: 'rmtree', dirfd: AT_FDCWD, pathname: staged }]);
    throw error;
  }
}

/** The union of some uppers, the oldest first, as one. Rules: Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories". */
async function unionOf(uppers: readonly string[], files: boolean): Promise<Node | undefined> {
  let top: Node | undefined;
  for (const [state, upper] of uppers.entries()) {
    if (!existsSync(upper)) continue;
    for (const object of files ? withMarks(await walk(upper)) : await walk(upper)) {
      if (!object.name) {
        top = merge(top, object, state);
        continue;
      }
      const parts = object.name.split('/');
      const last = parts.pop() ?? '';
      // Parents come before what is in them.
      const parent = parts.reduce((at: Node | undefined, part) => at?.children.get(part), top);
      if (!parent) throw new TypeError(`nothing is above ${object.name}`);
      parent.children.set(last, merge(parent.children.get(last), object, state));
    }
  }
  return top;
}

function merge(below: Node | undefined, object: Walked, state: number): Node {
  const isDirectory = object.mode >> 12 === S_IF.IFDIR >> 12;
  const opaque = isDirectory && object.xattrs.some(([name, value]) => /^(?:trusted|user)\.overlay\.opaque$/.test(name) && value.toString() === 'y');
  if (object.xattrs.some(([name]) => /^(?:trusted|user)\.overlay\.(?:redirect|metacopy)$/.test(name)))
    throw new EngineError({
      code: 'SQUASH_IMPOSSIBLE',
      message: `/${object.name} was only renamed, and its content is elsewhere`,
      hint: 'Its overlay was mounted with redirect_dir or metacopy. The states stay as they are.',
    });
  const wasDirectory = below && below.object.mode >> 12 === S_IF.IFDIR >> 12;
  if (isDirectory && wasDirectory && !opaque) return { state, object, opaque: below.opaque, children: below.children };
  // What takes the place of something else hides what is further below, too; the kernel marks it so.
  return { state, object, opaque: opaque || (isDirectory && below !== undefined), children: new Map() };
}

/** What a tree has, with what its files hide, or make opaque, told as overlayfs would. */
function withMarks(objects: readonly Walked[]): readonly Walked[] {
  const base = (name: string): string => name.slice(name.lastIndexOf('/') + 1);
  const directory = (name: string): string => name.slice(0, Math.max(0, name.lastIndexOf('/')));
  const hidden = (name: string): string => `${directory(name)}${name.includes('/') ? '/' : ''}${base(name).slice(WHITEOUT.length)}`;
  const isMark = ({ name }: Walked): boolean => base(name).startsWith(WHITEOUT);
  const all = objects.filter((each) => !isMark(each));
  const there = new Set(all.map(({ name }) => name));
  const marks = objects.filter(isMark);
  const opaque = new Set(marks.map(({ name }) => (base(name) === OPAQUE_FILE ? directory(name) : hidden(name))));
  const gone = marks.filter(({ name }) => !base(name).startsWith('.wh..wh.') && !there.has(hidden(name)));
  return [
    ...all.map((each): Walked => (opaque.has(each.name) ? { ...each, xattrs: [...each.xattrs, ['user.overlay.opaque', Buffer.from('y')]] } : each)),
    ...gone.map((each): Walked => ({ ...each, name: hidden(each.name), mode: S_IF.IFCHR, major: 0, minor: 0 })),
  ];
}

async function walk(upper: string): Promise<readonly Walked[]> {
  const found: Walked[] = [];
  await runInUserNamespace(
    [
      { op: 'openat', dirfd: AT_FDCWD, pathname: upper, flags: O.RDONLY | O.DIRECTORY | O.CLOEXEC, mode: 0, out: TARGET },
      { op: 'walk', dirfd: TARGET, content: 0, pathname: '.' },
    ],
    {
      onReply(reply) {
        if (reply.kind === 'data') found.push(parseWalked(reply.data));
      },
    },
  );
  return found;
}

/** Returns ops that make a tree of new directories, and of links to existing files. */
function linking(top: Node | undefined, uppers: readonly string[], target: string, files: boolean): Program {
  if (!top) return [];
  const used = new Set<number>();
  const ops: Op[] = [];
  const later: Op[] = [];
  const mark = idMapping().kind === 'host' ? 'trusted.overlay.opaque' : 'user.overlay.opaque';
  const empty = (name: string): Op => ({ op: 'mknodat', dirfd: TARGET, pathname: bytes(name), mode: S_IF.IFREG, major: 0, minor: 0 });
  const add = (node: Node, name: string): void => {
    const { state, object } = node;
    used.add(state);
    const source = SOURCES + state;
    const type = object.mode >> 12;
    const at = name || '.';
    if (type === S_IF.IFDIR >> 12) {
      if (name) ops.push({ op: 'mkdirat', dirfd: TARGET, pathname: name, mode: 0o700 });
      for (const [child, below] of node.children) add(below, name ? `${name}/${child}` : child);
      // When all is in it: its times are not those of its making.
      later.push({ op: 'copy_object', olddirfd: source, newdirfd: TARGET, flags: COPY.METADATA, oldpath: bytes(at), newpath: bytes(at) });
      if (node.opaque && files) ops.push(empty(name ? `${name}/${OPAQUE_FILE}` : OPAQUE_FILE));
      else if (node.opaque)
        later.push({ op: 'lsetxattr', flags: 0, path: Buffer.concat([Buffer.from(`${target}/`), bytes(at)]), name: mark, value: Buffer.from('y') });
    } else if (type === S_IF.IFCHR >> 12 && object.major === 0 && object.minor === 0 && files) ops.push(empty(whiteoutFile(name)));
    else if (type === S_IF.IFCHR >> 12 && object.major === 0 && object.minor === 0)
      ops.push({ op: 'mknodat', dirfd: TARGET, pathname: bytes(name), mode: S_IF.IFCHR, major: 0, minor: 0 });
    else ops.push({ op: 'linkat', olddirfd: source, newdirfd: TARGET, flags: 0, oldpath: bytes(name), newpath: bytes(name) });
  };
  add(top, '');
  const open = (pathname: string, out: number): Op => ({ op: 'openat', dirfd: AT_FDCWD, pathname, flags: O.RDONLY | O.DIRECTORY | O.CLOEXEC, mode: 0, out });
  return [
    { op: 'umask', mask: 0 },
    { op: 'mkdirat', dirfd: AT_FDCWD, pathname: target, mode: 0o700 },
    open(target, TARGET),
    ...[...used].map((state) => open(uppers[state] ?? '', SOURCES + state)),
    ...ops,
    ...later,
  ];
}

/** Names are received as latin1, and passed to the kernel as they are. */
function bytes(name: string): Buffer {
  return Buffer.from(name, 'latin1');
}
