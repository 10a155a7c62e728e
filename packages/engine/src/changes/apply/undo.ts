import { existsSync } from 'node:fs';
import { type Op, type SlotAllocator, slotAllocator } from '@lamella/syscall';
import { openGiven } from '../../filesystem/sources/check-sources.js';
import { followedBy } from '../../filesystem/sources/follow-replaced.js';
import { EngineError } from '../../model/engine-error.js';
import { afterwards, clean, leftOf } from './clean-up.js';
import { busy, busyNow, incomplete, nothingToUndo, shownPath, some } from './errors.js';
import { type Fingerprint, fingerprintOf, isIdentical } from './inspect/fingerprint.js';
import { KnownObjects } from './inspect/known-objects.js';
import type { Names } from './inspect/names-by-path.js';
import { namesAbove, openDirectory } from './inspect/parent-directories.js';
import { Session } from './inspect/session.js';
import { appliedOf, foreignStages, isBegun, type Journal, type Mark, type Part, readJournal, readMark } from './program/journal.js';
import { copies, locked, marked, stageMade, synced } from './program/ops.js';
import { contentOf, Left, objectsOf, targetsOf } from './program/targets.js';
import { madeAs } from './program/verify.js';
import { recover } from './recover.js';
import { replacedBy } from './replaced-paths.js';
import { takeBack } from './take-back.js';

/** Options of an undo. */
export interface UndoOptions {
  /** Also where the host has changed since. What was changed is moved away and kept until the next apply. */
  readonly force?: boolean;
  /** Receives each path of the host whose later work was moved away, and where that is now. */
  readonly onKept?: (kept: { readonly path: string; readonly at: string }) => void;
  /** Receives each directory of the host that stays as it is, because another container was applied to it since. */
  readonly onForgotten?: (source: string) => void;
}

/**
 * Takes the last apply of a container back. What it removes is kept in the store until the next apply to the same directory.
 *
 * @returns how many objects are again what they were
 * @throws EngineError `UNDO_NOTHING`, `UNDO_CONFLICT`, `APPLY_BUSY`, `APPLY_INCOMPLETE`
 */
export async function undo(root: string, id: string, { force = false, onKept, onForgotten }: UndoOptions = {}): Promise<number> {
  await recover(root);
  if (!existsSync(appliedOf(root, id))) throw nothingToUndo(id);
  let journal: Journal | undefined;
  try {
    await using session = await Session.open();
    await session.run(locked(root, id));
    journal = await readJournal(root, id);
    const earlier = await readMark(root, id);
    // Another process was faster, and was killed.
    if (isBegun(journal, earlier)) throw busyNow();
    if (journal?.state !== 'done' || !journal.parts.length) throw nothingToUndo(id);
    // What cannot be looked at is not begun.
    for (const part of journal.parts) await objectsOf(session, slotAllocator(), part, ['']);
    if (!force) await refuseChanged(session, journal);
    const foreign = journal.parts.filter((part) => part.kept);
    const follows = await followedBy(root, replacedBy(journal.parts));
    const mark = { token: journal.token, stages: [...(earlier?.stages ?? []), ...foreignStages(foreign)], force, follows };
    await session.run(marked(root, id, { ...mark, undo: 'staging' }));
    const copied: NonNullable<Mark['copied']>[number][] = [];
    for (const part of foreign) copied.push({ stage: part.stage, objects: await restage(session, slotAllocator(), part) });
    const begun: Mark = { ...mark, undo: 'begun', copied };
    await session.run(marked(root, id, begun));
    const { journal: next, kept } = await takeBack(session, { root, journal, mark: begun });
    await afterwards(leftOf(id), () => clean(session, root, id, next, mark));
    for (const each of kept) onKept?.(each);
    for (const source of journal.forgotten ?? []) onForgotten?.(source);
    return journal.parts.reduce((sum, part) => sum + part.steps.length, 0);
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw busy(error) ?? incomplete(journal ?? { id, parts: [] }, error);
  }
}

/** Copies what was kept in the store to where it can be renamed from, and returns what the copies are. */
async function restage(session: Session, slots: SlotAllocator, part: Part): Promise<Names<Fingerprint>> {
  const { kept } = part;
  if (!kept) return [];
  const [top, from, beside, parent] = [slots(), slots(), slots(), slots()];
  const objects = kept.objects.map((object) => ({ ...object, name: object.to }));
  const program: Op[] = [
    openDirectory(`${kept.directory}/old`, from),
    ...openGiven(part.source, part.given, top),
    ...stageMade(part, top, beside),
    ...copies(from, objects, beside, 'old', parent),
    ...synced(beside),
    { op: 'close', fd: from },
  ];
  await session.run(program);
  const made = madeAs(objects, await contentOf(session, 'old', beside));
  await session.run([top, beside].map((fd): Op => ({ op: 'close', fd })));
  return [...made];
}

/** @throws EngineError `UNDO_CONFLICT` with the name of each object that is not what the apply left there */
async function refuseChanged(session: Session, journal: Journal): Promise<void> {
  const changed: string[] = [];
  for (const part of journal.parts) {
    const slots = slotAllocator();
    const known = new KnownObjects(journal.known, part.source);
    const left = new Left(part, known);
    const now = await targetsOf(session, slots, part);
    const places = new Map(part.places);
    const parents = await objectsOf(session, slots, part, [...places.keys()]);
    for (const step of part.steps) {
      const differences = left.differences(step, now.get(step.name));
      const parent = namesAbove(step.name).at(-1) ?? '';
      const [was, is] = [places.get(parent), parents.get(parent)];
      // Names that are the same in another directory are others; that directory may have come with the apply itself.
      if (was && (!is || !isIdentical(was, fingerprintOf(is)))) differences.push('');
      for (const below of new Set(differences)) changed.push(shownPath(part.source, below ? `${step.name}/${below}` : step.name));
    }
  }
  if (!changed.length) return;
  throw new EngineError({
    code: 'UNDO_CONFLICT',
    message: `what was applied has changed since: ${some(changed)}`,
    hint: 'Nothing was taken back. --force takes it back all the same, and keeps what was changed aside.',
  });
}
