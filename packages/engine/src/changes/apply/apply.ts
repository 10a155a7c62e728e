import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { openSides } from '@lamella/overlay';
import { type Op, type SlotAllocator, SyscallError, slotAllocator, textOf } from '@lamella/syscall';
import { EngineError } from '../../model/engine-error.js';
import type { CheckedMount } from '../../model/writable-mount.js';
import { type ContainerChange, changesIn } from '../changes.js';
import { afterwards, clean, leftOf } from './clean-up.js';
import { chosenOf, leftWith } from './conflicts/choose-changes.js';
import { judge } from './conflicts/conflicts.js';
import type { SeenPlaces } from './conflicts/seen-directories.js';
import { busy, busyNow, changedMeanwhile, conflicting } from './errors.js';
import { forgetOthers } from './forget-applied.js';
import { digestsOf } from './inspect/digests.js';
import { hasHiddenNames, isOnlyLinks, Links } from './inspect/hard-links.js';
import { type Known, KnownObjects } from './inspect/known-objects.js';
import { parentDirectoriesOf, withMarks } from './inspect/parent-directories.js';
import type { Directories } from './inspect/same-directory.js';
import { Session } from './inspect/session.js';
import { appliedMade, applyingOf, isBegun, readJournal, readMark } from './program/journal.js';
import { locked } from './program/ops.js';
import { stageFor } from './program/stage.js';
import { workFor } from './program/steps.js';
import { recover } from './recover.js';
import { recoverOne } from './recover-one.js';
import { Applying, type PartWork, type StagedPart } from './transaction.js';

/** What to do about targets that the host changed since the container began. */
export type OnConflict = (typeof WAYS)[number];
const WAYS = ['fail', 'ours', 'theirs'] as const;

/** Options of an apply. */
export interface ApplyOptions {
  /** `fail` (default): nothing is applied; `ours`: the container's change wins; `theirs`: the host's stays, and all else is applied. */
  readonly onConflict?: OnConflict;
  /** Which changes. Default: all. A directory that is new comes along with what is chosen in it, and with one that goes all that is in it. */
  readonly select?: (change: ContainerChange) => boolean;
  /** Told once, after `select` has seen all changes and before anything is applied, how many there are. If it throws, nothing is applied. */
  readonly onSelected?: (seen: number) => void;
  /** Find out what would be done, and do nothing. */
  readonly dryRun?: boolean;
}

/** The result of an apply. */
export interface Applied {
  /** What was done to the host. */
  readonly changes: readonly ContainerChange[];
  /** Changes that met one of the host's: left alone with `theirs`, done with `ours`. */
  readonly conflicts: readonly ContainerChange[];
  /** With `theirs`: all that was left alone, the conflicts and what depends on them. */
  readonly left: readonly ContainerChange[];
}

/** The container, and the store, that an apply is for. */
export interface Applier {
  /** Absolute path of the store. */
  readonly root: string;
  readonly id: string;
  /** When the container began: what the host changed then or later is a conflict. */
  readonly since: Date;
  /** What it wrote in, as that was at the end of its last life. */
  readonly seen?: SeenPlaces;
}

/** What an apply is about to do. */
interface Decided extends Applied {
  readonly works: readonly PartWork[];
  readonly slots: SlotAllocator;
}

/**
 * Applies a container's changes to the host: all of them, or nothing. What was there is kept
 * for {@link undo} until the next apply to the same directory.
 *
 * @throws EngineError `APPLY_CONFLICT`, `APPLY_BUSY`, `APPLY_FAILED`, `APPLY_INVALID`; nothing is changed then
 */
export async function apply(applier: Applier, changes: AsyncIterable<ContainerChange>, options: ApplyOptions = {}): Promise<Applied> {
  const { root, id } = applier;
  const { onConflict = 'fail', dryRun = false } = options;
  // It comes from a page, too. Anything unknown would overwrite.
  if (!WAYS.includes(onConflict))
    throw new EngineError({
      code: 'APPLY_INVALID',
      message: `there is no way to apply that is called ${onConflict}`,
      hint: `Choose one of ${WAYS.join(', ')}.`,
    });
  await recover(root);
  const all = await Array.fromAsync(changes);
  for (const directory of appliedMade(root, id)) mkdirSync(directory, { recursive: true, mode: 0o700 });
  const token = randomUUID();
  let applying: Applying | undefined;
  let outcome: Applied | undefined;
  try {
    await using session = await Session.open();
    await session.run(locked(root, id));
    const [before, mark] = [await readJournal(root, id), await readMark(root, id)];
    // Another process was faster, and was killed.
    if (isBegun(before, mark)) throw busyNow();
    const { works, slots, ...applied } = await decided(session, applier, all, options, before?.known ?? []);
    if (dryRun || !works.length) return applied;
    outcome = applied;
    const parts = await Promise.all(
      works.map(async (work, i): Promise<StagedPart> => ({ ...work, ...(await stageFor(root, id, work.source, `${token}-${i}`)) })),
    );
    applying = new Applying(session, slots, { root, id, token, before, left: mark?.stages ?? [] }, parts);
    const done = await applying.run();
    await afterwards(leftOf(id), () => clean(session, root, id, done.journal, done.mark));
    const sources = parts.map(({ source }) => source);
    await afterwards('What applies of other containers kept cannot be removed', () => forgetOthers(root, id, sources));
    return applied;
  } catch (error) {
    const explanation = await explained(root, id, token, error, applying);
    // The last operation may have failed after the journal was already marked as done.
    // If the journal cannot be read the first error is the one to tell.
    const journal = outcome && (await readJournal(root, id).catch(() => undefined));
    if (outcome && journal?.token === token && journal.state === 'done') return outcome;
    throw explanation;
  }
}

/** Takes back what was begun of an apply that failed, and returns why it did. */
async function explained(root: string, id: string, token: string, error: unknown, applying: Applying | undefined): Promise<unknown> {
  const held = busy(error);
  if (held) return held;
  try {
    // Most errors are thrown before anything was begun.
    if (existsSync(applyingOf(root, id))) await recoverOne(root, id, token);
  } catch (second) {
    return second;
  }
  if (!(error instanceof SyscallError)) return error;
  const { op, code } = error;
  const changed =
    code === 'ESTALE' ||
    (op.op === 'renameat2' && code === 'EEXIST') ||
    (op.op === 'openat2' && code !== 'EACCES') ||
    (op.op === 'rename_seen' && code === 'ENOENT');
  const name = nameIn(op, applying);
  if (changed) return changedMeanwhile(name === undefined ? [] : [name], error);
  const lacks = code === 'EINVAL' && (op.op === 'rename_seen' || op.op === 'renameat2');
  return new EngineError({
    code: 'APPLY_FAILED',
    message: `the changes cannot be applied${name === undefined ? '' : ` to ${name}`}: ${error.message}`,
    hint: lacks
      ? 'Nothing was applied. The filesystem of the target cannot exchange files (RENAME_EXCHANGE of rename(2)).'
      : code === 'EACCES' || code === 'EPERM'
        ? 'Nothing was applied. Only a user who may write there can apply it.'
        : 'Nothing was applied.',
    cause: error,
  });
}

/** Returns the path that an op was about, if it has one that a user knows. */
function nameIn(op: Op, applying: Applying | undefined): string | undefined {
  if (op.op === 'copy_object' && op.newpath instanceof Uint8Array) return applying?.copied(op.newdirfd, Buffer.from(op.newpath).toString('latin1'));
  if ((op.op === 'expect' || op.op === 'statx') && op.pathname instanceof Uint8Array) return textOf(Buffer.from(op.pathname));
  if ((op.op === 'rename_seen' || op.op === 'renameat2') && op.oldpath instanceof Uint8Array) return textOf(Buffer.from(op.oldpath));
  return undefined;
}

/** Finds out what is to be done. */
async function decided(
  session: Session,
  { since, seen = [] }: Applier,
  all: readonly ContainerChange[],
  { onConflict = 'fail', select, onSelected }: ApplyOptions,
  known: Known,
): Promise<Decided> {
  const views = [...new Set(all.map((change) => change.view))].map((view) => ({
    view,
    known: new KnownObjects(known, view.source ?? '', seen.find(({ source }) => source === view.source)?.places),
  }));
  const conflicts = new Set<ContainerChange>();
  let wanted: ContainerChange[] = [];
  const directories = new Map<CheckedMount, Directories>();
  for (const { view, known: left } of views) {
    let own = all.filter((change) => change.view === view);
    // Only who links files of the host inside pays for a second look.
    if (hasHiddenNames(own)) own = await Array.fromAsync(changesIn([view], [], { otherNames: true }));
    const places = await parentDirectoriesOf(session, slotAllocator(), view, own);
    const changes = withMarks(own, places);
    const chosen = withAnchors(chosenOf(changes, select), changes);
    const isChosen = new Set(chosen);
    const judged = judge({ changes, places, since, known: left });
    for (const change of judged.conflicts) if (isChosen.has(change)) conflicts.add(change);
    directories.set(view, judged.directories);
    wanted = wanted.concat(chosen);
  }
  onSelected?.(all.length);
  if (conflicts.size && onConflict === 'fail') throw conflicting([...conflicts].map((change) => change.path));
  const left = onConflict === 'theirs' ? leftWith([...conflicts], wanted) : new Set<ContainerChange>();
  const done = wanted.filter((change) => !left.has(change));
  const slots = slotAllocator();
  const works: PartWork[] = [];
  for (const { view, known: before } of views) {
    const own = done.filter((change) => change.view === view);
    if (!own.some((change) => !isOnlyLinks(change))) continue;
    // Only now: what it mounts may cover a directory that was looked at.
    const sides = await openSides(view, slots);
    await session.run(sides.program);
    const digests = await digestsOf(session, slots, sides.upper, own);
    const links = new Links(own, (change) => digests.get(change));
    const work = workFor(
      own,
      links,
      [...conflicts].filter((change) => change.view === view),
    );
    works.push({ ...work, view, source: view.source ?? '', known: before, upper: sides.upper, directories: directories.get(view) });
  }
  return { changes: done.filter((change) => !isOnlyLinks(change)), conflicts: [...conflicts], left: [...left], works, slots };
}

/** Files of the host that chosen names are links to are looked at, too. */
function withAnchors(chosen: readonly ContainerChange[], all: readonly ContainerChange[]): ContainerChange[] {
  const inodes = new Set(chosen.flatMap(({ compared: { upper } }) => (upper && upper.links > 1 ? [upper.inode] : [])));
  const is = new Set(chosen);
  return all.filter((change) => (is.has(change) && !isOnlyLinks(change)) || (isOnlyLinks(change) && inodes.has(change.compared.upper?.inode ?? '')));
}
