import {
  AT_FDCWD,
  COPY,
  idMapping,
  O,
  type Op,
  openBeneath,
  ownMountNamespace,
  type Program,
  parseWalked,
  run,
  S_IF,
  SyscallError,
  type Walked,
} from '@lamella/syscall';
import { EngineError } from '../model/engine-error.js';

/** Slots: the two tops, and the directories below them that names are looked up in. */
const [FROM, TO, FROM_PARENT, TO_PARENT, DISK] = [10, 11, 12, 13, 14] as const;

/**
 * Copies trees with everything that overlayfs left in them: whiteouts, marks, hard links, owners and times. Files share their blocks
 * where the filesystem can do that (FICLONE). The copies are on the disk when this resolves. No link is followed.
 *
 * @param trees absolute paths: a directory, and the name of its copy, which must not exist
 * @throws EngineError `NO_SPACE`; SyscallError
 */
export async function copyTrees(trees: readonly (readonly [from: string, to: string])[]): Promise<void> {
  if (!trees.length) return;
  const objects = await walkAll(trees.map(([from]) => from));
  try {
    await run([...asOwner(), ...trees.flatMap(([from, to], i) => copying(from, to, objects[i] ?? [])), ...synced(trees.at(-1)?.[1] ?? '')]);
  } catch (error) {
    if (error instanceof SyscallError && (error.code === 'ENOSPC' || error.code === 'EDQUOT'))
      throw new EngineError({
        code: 'NO_SPACE',
        message: `no space is left for a copy of what the container has written: ${error.message}`,
        hint: 'Nothing was changed. Free some, or remove containers that have checkpoints: lamella rm NAME.',
        cause: error,
      });
    throw error;
  }
}

/**
 * Returns the first ops of a program that may do everything to what containers of this user have left: an ordinary user is the root of a
 * user namespace for that, as in the container. Directories there may be closed, or belong to one of the user's ids in /etc/subuid.
 */
export function asOwner(): Program {
  return idMapping().kind === 'host' ? [] : ownMountNamespace();
}

/** All copies are in one store, whose filesystem has to be written to the disk once. O_PATH is not enough for syncfs(2). */
function synced(copy: string): Program {
  return [directory(AT_FDCWD, copy, DISK, O.RDONLY), { op: 'syncfs', fd: DISK }];
}

/** All objects of some trees, but their tops. One program for all: in a user namespace each has to be told its ids from outside. */
async function walkAll(tops: readonly string[]): Promise<readonly (readonly Walked[])[]> {
  const program: Op[] = [...asOwner()];
  const found = new Map<number, Walked[]>();
  for (const top of tops) {
    program.push(directory(AT_FDCWD, top, FROM));
    found.set(program.length, []);
    program.push({ op: 'walk', dirfd: FROM, content: 0, pathname: '.' }, { op: 'close', fd: FROM });
  }
  await run(program, {
    onReply(reply) {
      if (reply.kind === 'data') found.get(reply.index)?.push(parseWalked(reply.data));
    },
  });
  return [...found.values()].map((objects) => objects.filter(({ name }) => name !== ''));
}

function directory(dirfd: number, pathname: string, out: number, flags: number = O.PATH): Op {
  return { op: 'openat', dirfd, pathname, flags: flags | O.DIRECTORY | O.CLOEXEC, mode: 0, out };
}

/** Ops for all objects of a tree, parents before children. */
function copying(from: string, to: string, objects: readonly Walked[]): Program {
  const ops: Op[] = [directory(AT_FDCWD, from, FROM), { op: 'mkdirat', dirfd: AT_FDCWD, pathname: to, mode: 0o700 }, directory(AT_FDCWD, to, TO)];
  const files = new Map<string, string>();
  for (const [parent, children] of Map.groupBy(objects, ({ name }) => name.slice(0, Math.max(0, name.lastIndexOf('/'))))) {
    ops.push(...openParents(parent));
    for (const { name, inode, links, mode } of children) {
      const base = bytes(baseOf(name));
      const first = mode >> 12 === S_IF.IFDIR >> 12 || links < 2 ? undefined : files.get(inode);
      if (first !== undefined) ops.push({ op: 'linkat', olddirfd: TO, newdirfd: TO_PARENT, flags: 0, oldpath: bytes(first), newpath: base });
      else ops.push({ op: 'copy_object', olddirfd: FROM_PARENT, newdirfd: TO_PARENT, flags: COPY.MARKS, oldpath: base, newpath: base });
      if (!files.has(inode)) files.set(inode, name);
    }
    ops.push({ op: 'close', fd: FROM_PARENT }, { op: 'close', fd: TO_PARENT });
  }
  // What was made in a directory changed its times, and who may not enter it made nothing there.
  const flags = COPY.MARKS | COPY.METADATA;
  for (const { name } of objects.filter(({ mode }) => mode >> 12 === S_IF.IFDIR >> 12).toReversed()) {
    const base = bytes(baseOf(name));
    ops.push(
      ...openParents(name.slice(0, Math.max(0, name.lastIndexOf('/')))),
      { op: 'copy_object', olddirfd: FROM_PARENT, newdirfd: TO_PARENT, flags, oldpath: base, newpath: base },
      { op: 'close', fd: FROM_PARENT },
      { op: 'close', fd: TO_PARENT },
    );
  }
  return [...ops, { op: 'copy_object', olddirfd: FROM, newdirfd: TO, flags, oldpath: '.', newpath: '.' }, ...[TO, FROM].map((fd): Op => ({ op: 'close', fd }))];
}

/** The same directory of both trees, through no link: an object may have been exchanged since the walk. */
function openParents(name: string): Op[] {
  const pathname = name ? bytes(name) : '.';
  return [openBeneath(FROM, pathname, FROM_PARENT, { directory: true }), openBeneath(TO, pathname, TO_PARENT, { directory: true })];
}

function baseOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

/** Names are received as latin1, and passed to the kernel as they are. */
function bytes(name: string): Buffer {
  return Buffer.from(name, 'latin1');
}
