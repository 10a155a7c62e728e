import path from 'node:path';
import { openSides } from '@lamella/overlay';
import { AT_FDCWD, LOCK, O, type Op, ownMountNamespace, type Program, RENAME, type SlotAllocator, slotAllocator } from '@lamella/syscall';
import { beneath, unlessGone } from '../beneath.js';
import { openGiven } from '../sources/check.js';
import type { CheckedView } from '../views.js';
import { appliedOf, applyingOf, applyLockOf, type Journal, journalOf, type Part, planOf } from './journal.js';
import type { Staged, Step } from './steps.js';

/** What is done to one directory, and what of the view it needs for that. */
export interface PartWork extends Part {
  readonly view: CheckedView;
  readonly staged: readonly Staged[];
}

/** A program, and the ops in it that tell what became of a target. */
export interface Telling {
  readonly program: Program;
  /** Part and step of each `statx`, by the index of the op. */
  readonly told: ReadonlyMap<number, { readonly part: number; readonly step: Step }>;
}

/**
 * The program of an apply: everything is made beside the targets and on the disk before the first of them is
 * touched; the journal is, too. From then on each step can be taken back, and when `applying/ID` is gone all of it is
 * done.
 */
export async function applyProgram(root: string, journal: Journal, works: readonly PartWork[]): Promise<Program> {
  const slots = slotAllocator();
  const { id, token } = journal;
  const stages = works.map(() => ({ source: slots(), stage: slots(), upper: -1 }));
  const parent = slots();
  const program: Op[] = [...ownMountNamespace(), ...locked(root, id, slots), ...written(planOf(root, id), JSON.stringify(journal), slots)];
  for (const [i, { view, source, stage, staged, steps }] of works.entries()) {
    const at = stages[i];
    if (!at) continue;
    const sides = await openSides(view, slots);
    at.upper = sides.upper;
    program.push(
      ...sides.program,
      ...openGiven(source, view.given, at.source),
      { op: 'mkdirat', dirfd: AT_FDCWD, pathname: stage, mode: 0o700 },
      openDirectory(AT_FDCWD, stage, at.stage),
      ...['new', 'old'].map((pathname): Op => ({ op: 'mkdirat', dirfd: at.stage, pathname, mode: 0o700 })),
      ...staging(at, staged, parent),
      ...steps
        .filter((step) => step.do === 'metadata')
        .flatMap((step) => beneath(at.source, step.name, parent, (dirfd, base) => [copy(dirfd, base, at.stage, `old/${step.n}`)])),
      ...synced(at.stage, slots),
    );
  }
  program.push(...durably(applyingOf(root, id), token, slots), ...durably(journalOf(root, id), JSON.stringify(journal), slots));
  for (const [i, { steps }] of works.entries()) {
    const at = stages[i];
    if (at) for (const step of steps) program.push(...beneath(at.source, step.name, parent, (dirfd, base) => take(step, at.stage, dirfd, base)));
  }
  for (const at of stages) program.push(...synced(at.source, slots));
  return [...program, finished(root, id), { op: 'unlinkat', dirfd: AT_FDCWD, pathname: planOf(root, id), flags: 0 }];
}

/** That nothing is under way any more. */
function finished(root: string, id: string): Op {
  return { op: 'unlinkat', dirfd: AT_FDCWD, pathname: applyingOf(root, id), flags: 0 };
}

/** A program that tells what the targets of a journal are now. */
export function tellingProgram({ parts }: Journal): Telling {
  const slots = slotAllocator();
  const parent = slots();
  const program: Op[] = [];
  const told = new Map<number, { part: number; step: Step }>();
  for (const [part, { source, given, steps }] of parts.entries()) {
    const top = slots();
    program.push(...openGiven(source, given, top));
    for (const step of steps) {
      const ops = unlessGone(beneath(top, step.name, parent, (dirfd, pathname) => [{ op: 'statx', dirfd, pathname }]));
      told.set(program.length + ops.findIndex(({ op }) => op === 'statx'), { part, step });
      program.push(...ops);
    }
  }
  return { program, told };
}

/**
 * The program that takes an apply back, however far it came: each step that was begun finds out for itself
 * whether it was done. It can be repeated. The stage is gone afterwards; the journal stays, for what is given back has another ctime.
 */
export function rollbackProgram(root: string, journal: Journal, taken: (part: Part, step: Step) => boolean): Program {
  const { id, parts, token } = journal;
  const slots = slotAllocator();
  const parent = slots();
  const program: Op[] = [...locked(root, id, slots), ...durably(applyingOf(root, id), token, slots)];
  for (const part of parts) {
    const { source, given, stage, steps } = part;
    const [at, beside] = [slots(), slots()];
    program.push(...openGiven(source, given, at), openDirectory(AT_FDCWD, stage, beside));
    for (const step of steps.toReversed())
      if (taken(part, step)) program.push(...beneath(at, step.name, parent, (dirfd, base) => giveBack(step, beside, dirfd, base)));
    program.push(...synced(at, slots));
  }
  return [
    ...program,
    ...durably(journalOf(root, id), JSON.stringify({ ...journal, undone: true } satisfies Journal), slots),
    finished(root, id),
    { op: 'unlinkat', dirfd: AT_FDCWD, pathname: planOf(root, id), flags: 0, ignore: ['ENOENT'] },
    ...removeStages(parts),
  ];
}

/** The program that forgets an apply which is another's way back now, or one that never began. */
export function forgetProgram(root: string, id: string, parts: readonly Part[], { whole }: { readonly whole: boolean }): Program {
  return [
    ...locked(root, id, slotAllocator()),
    ...removeStages(parts),
    whole
      ? { op: 'rmtree', dirfd: AT_FDCWD, pathname: appliedOf(root, id) }
      : { op: 'unlinkat', dirfd: AT_FDCWD, pathname: planOf(root, id), flags: 0, ignore: ['ENOENT'] },
  ];
}

function removeStages(parts: readonly Part[]): Program {
  return parts.map((part): Op => ({ op: 'rmtree', dirfd: AT_FDCWD, pathname: part.stage }));
}

function locked(root: string, id: string, slots: SlotAllocator): Program {
  const lock = slots();
  return [
    { op: 'openat', dirfd: AT_FDCWD, pathname: applyLockOf(root, id), flags: O.RDWR | O.CREAT | O.CLOEXEC, mode: 0o600, out: lock },
    { op: 'flock', fd: lock, operation: LOCK.EX | LOCK.NB },
  ];
}

function openDirectory(dirfd: number, pathname: string, out: number): Op {
  return { op: 'openat', dirfd, pathname, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out };
}

function copy(olddirfd: number, oldpath: Uint8Array | string, newdirfd: number, newpath: Uint8Array | string, metadata = 0): Op {
  return { op: 'copy_object', olddirfd, newdirfd, metadata, oldpath, newpath };
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Make the new objects in the stage, in every way like those of the view. */
function staging({ upper, stage }: { readonly upper: number; readonly stage: number }, staged: readonly Staged[], parent: number): Program {
  const target = (to: string): Buffer => bytes(`new/${to}`);
  return [
    ...staged.flatMap(
      ({ name, to, linkTo }): Program =>
        linkTo === undefined
          ? beneath(upper, name, parent, (dirfd, base) => [copy(dirfd, base, stage, target(to))])
          : [{ op: 'linkat', olddirfd: stage, newdirfd: stage, flags: 0, oldpath: target(linkTo), newpath: target(to) }],
    ),
    // What was made in them changed their times.
    ...staged
      .filter(({ directory }) => directory)
      .toReversed()
      .flatMap(({ name, to }) => beneath(upper, name, parent, (dirfd, base) => [copy(dirfd, base, stage, target(to), 1)])),
  ];
}

/** O_PATH is not enough for syncfs(2). */
function synced(directory: number, slots: SlotAllocator): Program {
  const slot = slots();
  return [
    { op: 'openat', dirfd: directory, pathname: '.', flags: O.RDONLY | O.DIRECTORY | O.CLOEXEC, mode: 0, out: slot },
    { op: 'syncfs', fd: slot },
    { op: 'close', fd: slot },
  ];
}

/** A file's content. */
function written(pathname: string, data: string, slots: SlotAllocator, then: readonly ((file: number) => Op)[] = []): Program {
  const file = slots();
  const content = Buffer.from(data);
  const parts: Op[] = [];
  // A frame has its limit, a journal of a hundred thousand steps has not.
  for (let at = 0; at < content.length; at += 65536) parts.push({ op: 'write', fd: file, buf: content.subarray(at, at + 65536) });
  return [
    { op: 'openat', dirfd: AT_FDCWD, pathname, flags: O.WRONLY | O.CREAT | O.TRUNC | O.CLOEXEC, mode: 0o600, out: file },
    ...parts,
    ...then.map((op) => op(file)),
    { op: 'close', fd: file },
  ];
}

/** A file that is whole or not there, on the disk with its name. */
function durably(pathname: string, data: string, slots: SlotAllocator): Program {
  const directory = slots();
  const next = `${pathname}.next`;
  return [
    ...written(next, data, slots, [(file) => ({ op: 'fsync', fd: file })]),
    { op: 'renameat2', olddirfd: AT_FDCWD, oldpath: next, newdirfd: AT_FDCWD, newpath: pathname, flags: 0 },
    { op: 'openat', dirfd: AT_FDCWD, pathname: path.dirname(pathname), flags: O.RDONLY | O.DIRECTORY | O.CLOEXEC, mode: 0, out: directory },
    { op: 'fsync', fd: directory },
    { op: 'close', fd: directory },
  ];
}

/** One step forward. */
function take(step: Step, stage: number, dirfd: number, base: Buffer): Program {
  const [fresh, old] = [`new/${step.n}`, `old/${step.n}`];
  const unchanged: Program = step.was ? [{ op: 'expect', dirfd, pathname: base, ctime_sec: step.was.ctimeSeconds, ctime_nsec: step.was.ctimeNanoseconds }] : [];
  const place = (flags: number): Op => ({ op: 'renameat2', olddirfd: stage, oldpath: fresh, newdirfd: dirfd, newpath: base, flags });
  const away: Op = { op: 'renameat2', olddirfd: dirfd, oldpath: base, newdirfd: stage, newpath: old, flags: RENAME.NOREPLACE };
  switch (step.do) {
    case 'put':
      return [place(RENAME.NOREPLACE)];
    case 'replace':
      return [...unchanged, { op: 'linkat', olddirfd: dirfd, oldpath: base, newdirfd: stage, newpath: old, flags: 0 }, place(0)];
    case 'swap':
      return [...unchanged, away, place(RENAME.NOREPLACE)];
    case 'remove':
      return [...unchanged, away];
    case 'metadata':
      return [copy(stage, fresh, dirfd, base, 1)];
  }
}

/** The same step back, if it was taken. */
function giveBack(step: Step, stage: number, dirfd: number, base: Buffer): Program {
  const [fresh, old] = [`new/${step.n}`, `old/${step.n}`];
  const remove: Op = {
    op: 'renameat2',
    olddirfd: dirfd,
    oldpath: base,
    newdirfd: stage,
    newpath: fresh,
    flags: RENAME.NOREPLACE,
    // It waits in the stage still.
    ignore: ['EEXIST', 'ENOENT'],
  };
  const restore = (flags: number): Op => ({ op: 'renameat2', olddirfd: stage, oldpath: old, newdirfd: dirfd, newpath: base, flags, ignore: ['ENOENT'] });
  switch (step.do) {
    case 'put':
      return [remove];
    case 'replace':
      return [restore(0)];
    case 'swap':
      return [remove, restore(RENAME.NOREPLACE)];
    case 'remove':
      return [restore(RENAME.NOREPLACE)];
    case 'metadata':
      return [{ ...copy(stage, old, dirfd, base, 1), ignore: ['ENOENT'] }];
  }
}
