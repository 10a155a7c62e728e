import path from 'node:path';
import { AT_FDCWD, LOCK, O, type Op, openBeneath, type Program, packSeen, RENAME, RESERVED_SLOTS, SAME } from '@lamella/syscall';
import { beneath } from '../../../filesystem/open-beneath.js';
import { openGiven } from '../../../filesystem/sources/check-sources.js';
import type { Fingerprint } from '../inspect/fingerprint.js';
import { openDirectory } from '../inspect/parent-directories.js';
import { appliedOf, applyingOf, applyLockOf, type ForeignStage, type Journal, journalOf, type Mark } from './journal.js';
import type { Staged, Step } from './steps.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** The slot of the lock, which is held for as long as a session lasts, and one for what a program opens and closes again. */
const [LOCK_SLOT, FILE_SLOT] = RESERVED_SLOTS;

/** Takes the lock of a container's applies, which the session holds from then on: `EAGAIN` when another process has it. */
export function locked(root: string, id: string): Program {
  return [
    { op: 'openat', dirfd: AT_FDCWD, pathname: applyLockOf(root, id), flags: O.RDWR | O.CREAT | O.CLOEXEC, mode: 0o600, out: LOCK_SLOT },
    { op: 'flock', fd: LOCK_SLOT, operation: LOCK.EX | LOCK.NB },
  ];
}

/** Writes a file that is whole or not there, on the disk with its name. */
function durably(pathname: string, data: string, next: string = `${pathname}.next`): Program {
  const file = FILE_SLOT;
  const content = Buffer.from(data);
  const parts: Op[] = [];
  // A frame has its limit, a journal of a hundred thousand steps has not.
  for (let at = 0; at < content.length; at += 65536) parts.push({ op: 'write', fd: file, buf: content.subarray(at, at + 65536) });
  return [
    { op: 'openat', dirfd: AT_FDCWD, pathname: next, flags: O.WRONLY | O.CREAT | O.TRUNC | O.CLOEXEC, mode: 0o600, out: file },
    ...parts,
    { op: 'fsync', fd: file },
    { op: 'close', fd: file },
    { op: 'renameat2', olddirfd: AT_FDCWD, oldpath: next, newdirfd: AT_FDCWD, newpath: pathname, flags: 0 },
    { op: 'openat', dirfd: AT_FDCWD, pathname: path.dirname(pathname), flags: O.RDONLY | O.DIRECTORY | O.CLOEXEC, mode: 0, out: file },
    { op: 'fsync', fd: file },
    { op: 'close', fd: file },
  ];
}

export const marked = (root: string, id: string, mark: Mark): Program =>
  // A name in the directory of marks is a mark.
  durably(applyingOf(root, id), JSON.stringify({ ...mark, pid: process.pid }), path.join(appliedOf(root, id), 'mark.next'));

export const journaled = (root: string, journal: Journal): Program => durably(journalOf(root, journal.id), JSON.stringify(journal));

/** Nothing is under way any more. */
export const unmarked = (root: string, id: string): Op => ({ op: 'unlinkat', dirfd: AT_FDCWD, pathname: applyingOf(root, id), flags: 0, ignore: ['ENOENT'] });

/** Removes a stage in a source. */
export function foreignRemoved({ source, given, name }: ForeignStage): Program {
  return [...openGiven(source, given, FILE_SLOT), { op: 'rmtree', dirfd: FILE_SLOT, pathname: name }, { op: 'close', fd: FILE_SLOT }];
}

export const removed = (pathname: string): Op => ({ op: 'rmtree', dirfd: AT_FDCWD, pathname });

/**
 * Returns the ops that open a stage. Paths in the store are the user's own; in a source, where others may write, a stage is opened below the
 * source's descriptor.
 *
 * @param kept set when the stage is in the source
 * @param top slot of the source
 */
export function openStage({ stage, kept }: StageOf, top: number, out: number): Op {
  if (kept === undefined) return openDirectory(stage, out);
  return openBeneath(top, path.basename(stage), out, { directory: true });
}

interface StageOf {
  readonly stage: string;
  readonly kept?: unknown;
}

/** Makes a stage and opens it, as {@link openStage} does. */
export function stageMade(of: StageOf, top: number, out: number): Program {
  const made = of.kept === undefined ? { dirfd: AT_FDCWD, pathname: of.stage } : { dirfd: top, pathname: path.basename(of.stage) };
  return [
    { op: 'mkdirat', ...made, mode: 0o700 },
    openStage(of, top, out),
    ...['new', 'old', 'aside'].map((pathname): Op => ({ op: 'mkdirat', dirfd: out, pathname, mode: 0o700 })),
  ];
}

/** Waits until all of a filesystem is on the disk. O_PATH is not enough for syncfs(2). */
export function synced(directory: number): Program {
  const slot = FILE_SLOT;
  return [
    { op: 'openat', dirfd: directory, pathname: '.', flags: O.RDONLY | O.DIRECTORY | O.CLOEXEC, mode: 0, out: slot },
    { op: 'syncfs', fd: slot },
    { op: 'close', fd: slot },
  ];
}

function copy(olddirfd: number, oldpath: Uint8Array | string, newdirfd: number, newpath: Uint8Array | string, flags = 0): Op {
  return { op: 'copy_object', olddirfd, newdirfd, flags, oldpath, newpath };
}

/**
 * Copies objects into a directory, in every way like the ones they are copies of. Parents come before children.
 *
 * @param from slot of the directory in which their names are
 * @param to slot of the directory in which they go below `under`
 */
export function copies(from: number, objects: readonly Staged[], to: number, under: string, parent: number): Program {
  const target = (name: string): Buffer => bytes(`${under}/${name}`);
  return [
    ...objects.flatMap(
      ({ name, to: at, linkTo }): Program =>
        linkTo === undefined
          ? beneath(from, name, parent, (dirfd, base) => [copy(dirfd, base, to, target(at))])
          : [{ op: 'linkat', olddirfd: to, newdirfd: to, flags: 0, oldpath: target(linkTo), newpath: target(at) }],
    ),
    // What was made in them changed their times.
    ...objects
      .filter(({ directory }) => directory)
      .toReversed()
      .flatMap(({ name, to: at }) => beneath(from, name, parent, (dirfd, base) => [copy(dirfd, base, to, target(at), 1)])),
  ];
}

const moved = (olddirfd: number, oldpath: Buffer | string, newdirfd: number, newpath: Buffer | string): Op => ({
  op: 'renameat2',
  olddirfd,
  newdirfd,
  flags: RENAME.NOREPLACE,
  oldpath,
  newpath,
});

const movedIf = (
  seen: Fingerprint,
  what: number,
  olddirfd: number,
  oldpath: Buffer | string,
  newdirfd: number,
  newpath: Buffer | string,
  flags: number,
): Op => ({
  op: 'rename_seen',
  olddirfd,
  newdirfd,
  flags,
  what,
  oldpath,
  newpath,
  seen: packSeen(seen),
});

export const expected = (dirfd: number, pathname: Buffer | string, seen: Fingerprint, what: number): Op => ({
  op: 'expect',
  dirfd,
  what,
  pathname,
  seen: packSeen(seen),
});

/** What a target is checked for, just before its step: everything, except the ctime where an earlier step has changed it. */
export const checkOf = (step: Step, isTouched: boolean): number =>
  step.do === 'metadata' ? SAME.METADATA : SAME.CONTENT | SAME.METADATA | (isTouched ? 0 : SAME.CTIME);

/** One step forward. */
export function taken(step: Step, what: number, stage: number, dirfd: number, base: Buffer): Program {
  const [fresh, old] = [`new/${step.n}`, `old/${step.n}`];
  const place = moved(stage, fresh, dirfd, base);
  const { was } = step;
  if (step.do === 'put' || !was) return [place];
  switch (step.do) {
    case 'replace':
      return [movedIf(was, what, dirfd, base, stage, fresh, RENAME.EXCHANGE), moved(stage, fresh, stage, old)];
    case 'swap':
      return [movedIf(was, what, dirfd, base, stage, old, RENAME.NOREPLACE), place];
    case 'remove':
      return [movedIf(was, what, dirfd, base, stage, old, RENAME.NOREPLACE)];
    case 'metadata':
      return [expected(dirfd, base, was, what), copy(stage, fresh, dirfd, base, 1)];
  }
}

/** Gives a file of the host another name, in the stage. */
export function linked(file: Fingerprint, dirfd: number, base: Buffer, stage: number, n: number): Program {
  return [
    expected(dirfd, base, file, SAME.CONTENT | SAME.METADATA),
    { op: 'linkat', olddirfd: dirfd, newdirfd: stage, flags: 0, oldpath: base, newpath: `new/${n}` },
  ];
}

/** What is known of a step that is to be taken back. */
export interface Standing {
  /** What the new object was when it was made; nothing of one that was never made. */
  readonly made: Fingerprint | undefined;
  /** Whether something is at the name now, and whether it is what the apply left there, to the last file. */
  readonly isThere: boolean;
  readonly isOurs: boolean;
  /** What waits in the stage as the old object. */
  readonly old: Fingerprint | undefined;
  /** Move away what is there and not ours, too; it is kept. */
  readonly force: boolean;
}

/** Ignores an object that is missing or is a different one: the step was not taken so far, or is already undone. */
const may = (op: Op): Op => ({ ...op, ignore: ['ENOENT', 'ESTALE', 'EEXIST', 'EBADF'] });

/** The same step back, as far as it was taken. What is there and not ours stays where it is, or is moved aside with `force`. */
export function givenBack(step: Step, { made, isThere, isOurs, old, force }: Standing, stage: number, dirfd: number, base: Buffer): Program {
  const { was, n } = step;
  const [fresh, before, aside] = [`new/${n}`, `old/${n}`, `aside/${n}`];
  if (step.do === 'metadata') {
    if (!old || !isThere || (!isOurs && !force)) return [];
    return [...(isOurs ? [] : [may(copy(dirfd, base, stage, aside))]), may(copy(stage, before, dirfd, base, 1))];
  }
  const program: Op[] = [];
  // It was exchanged, and is not with the old ones yet.
  if (step.do === 'replace' && was) program.push(may(movedIf(was, SAME.IDENTITY, stage, fresh, stage, before, RENAME.NOREPLACE)));
  // Where the old one is not in the stage any more, this step is taken back already.
  if (force && isThere && !isOurs && (old || step.do === 'put')) program.push(may(moved(dirfd, base, stage, aside)));
  if (made && step.do === 'replace')
    program.push(
      may(movedIf(made, SAME.IDENTITY, dirfd, base, stage, before, RENAME.EXCHANGE)),
      may(movedIf(made, SAME.IDENTITY, stage, before, stage, fresh, RENAME.NOREPLACE)),
    );
  else if (made) program.push(may(movedIf(made, SAME.IDENTITY, dirfd, base, stage, fresh, RENAME.NOREPLACE)));
  const kept = old ?? was;
  if (kept) program.push(may(movedIf(kept, SAME.IDENTITY, stage, before, dirfd, base, RENAME.NOREPLACE)));
  return program;
}
