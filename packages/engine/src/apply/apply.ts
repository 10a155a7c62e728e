import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { realpath, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { LamellaError, parseWalked, run, runMapped, SyscallError, textOf, tryLockFile } from '@lamella/syscall';
import type { ContainerChange } from '../containers/changes.js';
import { EngineError } from '../engine-error.js';
import { mountPointOf } from '../host-view.js';
import { conflictsIn } from './conflicts.js';
import {
  applied,
  appliedOf,
  applyingOf,
  applyLockOf,
  begunSteps,
  type Journal,
  journalOf,
  type Known,
  knownOf,
  type Part,
  readJournal,
  readKnown,
  readMark,
  readPlan,
  underWay,
} from './journal.js';
import { applyProgram, forgetProgram, type PartWork, rollbackProgram, tellingProgram } from './programs.js';
import { isSame, type Seen, type Step, seen, workFor } from './steps.js';

/** What to do about targets that the host changed since the container began. */
export type OnConflict = (typeof WAYS)[number];
const WAYS = ['fail', 'ours', 'theirs'] as const;

export interface ApplyOptions {
  /** `fail` (default): nothing is applied; `ours`: the container's change wins; `theirs`: the host's stays, and all else is applied. */
  readonly onConflict?: OnConflict;
  /** Which changes. Default: all. A directory that is new comes along with what is chosen in it. */
  readonly select?: (change: ContainerChange) => boolean;
  /** Find out what would be done, and do nothing. */
  readonly dryRun?: boolean;
}

export interface Applied {
  /** What was done to the host. */
  readonly changes: readonly ContainerChange[];
  /** Changes that met one of the host's: left alone with `theirs`, done with `ours`. */
  readonly conflicts: readonly ContainerChange[];
}

/** Who asks for an apply. */
export interface Applier {
  /** Absolute path of the store. */
  readonly root: string;
  readonly id: string;
  /** When the container began: what the host changed later is a conflict. */
  readonly since: Date;
}

/**
 * Do to the directories of the host what a container did in its view of them: all of it or nothing. What was there is kept
 * for {@link undo} until the next apply to the same directory.
 *
 * @throws EngineError `APPLY_CONFLICT`, `APPLY_BUSY`, `APPLY_FAILED`, `APPLY_INVALID`; nothing is changed then
 */
export async function apply(applier: Applier, changes: AsyncIterable<ContainerChange>, options: ApplyOptions = {}): Promise<Applied> {
  const { root, id } = applier;
  const { onConflict = 'fail' } = options;
  // It comes from a page, too. Anything unknown would overwrite.
  if (!WAYS.includes(onConflict))
    throw new EngineError({
      code: 'APPLY_INVALID',
      message: `there is no way to apply that is called ${onConflict}`,
      hint: `Choose one of ${WAYS.join(', ')}.`,
    });
  await recover(root);
  await forgetPlans(root);
  const wanted = await chosen(changes, options.select);
  const before = await readJournal(root, id);
  const conflicts = conflictsIn(wanted, applier.since, await readKnown(root, id));
  if (conflicts.length && onConflict === 'fail') throw conflicting(conflicts);
  const left = new Set(onConflict === 'theirs' ? withBelow(conflicts, wanted) : []);
  const done = wanted.filter((change) => !left.has(change));
  if (options.dryRun || !done.length) return { changes: done, conflicts };
  const views = [...new Set(done.map((change) => change.view))];
  mkdirSync(appliedOf(root, id), { recursive: true, mode: 0o700 });
  mkdirSync(path.dirname(applyingOf(root, id)), { recursive: true, mode: 0o700 });
  const token = randomUUID();
  const works = await Promise.all(
    views.map(async (view, i): Promise<PartWork> => {
      const source = view.source ?? '';
      const { steps, staged } = workFor(done.filter((change) => change.view === view));
      // Who may not enter a directory any more makes no changes below it.
      const ordered = [...steps.filter((step) => step.do !== 'metadata'), ...steps.filter((step) => step.do === 'metadata')];
      return { view, source, steps: ordered, staged, stage: await stageFor(root, id, source, `${token}-${i}`) };
    }),
  );
  const parts = works.map(({ source, stage, steps, view: { given } }): Part => ({ source, stage, steps, ...(given ? { given } : {}) }));
  const journal: Journal = { version: 1, token, id, created: new Date().toISOString(), parts };
  try {
    await run(await applyProgram(root, journal, works));
  } catch (error) {
    const told = await failed(root, journal, before, error);
    if (told !== undefined) throw told;
  }
  await noteTargets(root, journal, () => true);
  await forgetOthers(root, journal, before);
  return { changes: done, conflicts };
}

/**
 * Take the last apply of a container back.
 *
 * @param force also where the host has changed since
 * @returns how many objects are again what they were
 * @throws EngineError `UNDO_NOTHING`, `UNDO_CONFLICT`, `APPLY_BUSY`
 */
export async function undo(root: string, id: string, { force = false }: { readonly force?: boolean } = {}): Promise<number> {
  await recover(root);
  const journal = await readJournal(root, id);
  if (!journal || journal.undone) throw nothingToUndo(id);
  if (!force) await refuseChanged(journal, await readKnown(root, id));
  try {
    await takeBack(root, journal, () => true);
  } catch (error) {
    if ((await readJournal(root, id))?.undone) throw nothingToUndo(id);
    throw busy(error) ?? incomplete(journal, error);
  }
  return journal.parts.reduce((sum, part) => sum + part.steps.length, 0);
}

function nothingToUndo(id: string): EngineError {
  return new EngineError({
    code: 'UNDO_NOTHING',
    message: `nothing of the container ${id} was applied`,
    hint: 'An apply can be taken back until the next one to the same directory.',
  });
}

/** Take back what a crash left half done. Costs one readdir when there is nothing. */
export async function recover(root: string): Promise<void> {
  for (const id of underWay(root)) {
    const journal = await interrupted(root, id);
    if (!journal) continue;
    try {
      await takeBack(root, journal, await unchangedBefore(root, journal));
    } catch (error) {
      // Somebody is at it, or was faster.
      if (!busy(error) && (await readMark(root, id)) === journal.token) throw incomplete(journal, error);
    }
  }
}

/**
 * The apply that a mark was left by, if it is to be taken back. A mark without the journal of its token is of one that had not
 * touched the host yet: it goes. That is decided with the lock held, for whoever is under way may be between the two.
 */
async function interrupted(root: string, id: string): Promise<Journal | undefined> {
  const lock = await tryLockFile(applyLockOf(root, id)).catch((error: { code?: string }) => {
    if (error.code !== 'ENOENT') throw error;
    return 'gone' as const;
  });
  if (lock === undefined) return undefined;
  try {
    const journal = await readJournal(root, id);
    if (journal && journal.token === (await readMark(root, id))) return journal;
    await rm(applyingOf(root, id), { force: true });
    return undefined;
  } finally {
    if (lock !== 'gone') await lock[Symbol.asyncDispose]();
  }
}

/**
 * Remove what applies left that were stopped before they began. Those that are under way hold their lock.
 */
export async function forgetPlans(root: string): Promise<void> {
  for (const id of applied(root)) {
    const plan = await readPlan(root, id);
    if (!plan) continue;
    const began = (await readJournal(root, id))?.token === plan.token;
    await runMapped(forgetProgram(root, id, began ? [] : plan.parts, { whole: false })).catch((error: unknown) => {
      if (!busy(error)) throw error;
    });
  }
}

/** Remove what is known of applies that were taken back, of containers that are gone: nobody asks for it again. */
export async function forgetTakenBack(root: string): Promise<void> {
  for (const id of applied(root)) {
    if (existsSync(path.join(root, 'containers', id)) || !(await readJournal(root, id))?.undone) continue;
    await runMapped(forgetProgram(root, id, [], { whole: true })).catch((error: unknown) => {
      if (!busy(error)) throw error;
    });
  }
}

/** What the targets of a journal are now. */
async function targetsNow(journal: Journal): Promise<Known> {
  const { program, told } = tellingProgram(journal);
  // Any name may be a target's, __proto__ too.
  const found = Object.create(null) as Record<string, Record<string, Seen>>;
  await run(program, {
    onReply(reply) {
      if (reply.kind !== 'data') return;
      const where = told.get(reply.index);
      const source = where && journal.parts[where.part]?.source;
      if (!where || source === undefined) return;
      found[source] ??= Object.create(null) as Record<string, Seen>;
      found[source][where.step.name] = seen(parseWalked(reply.data));
    },
  });
  return found;
}

/**
 * Write down what the targets of a journal are now, beside what is known of others. Where that fails, who takes them
 * back is told that nobody knows.
 *
 * @param ours whether what is there now is our work, and nobody's change in between
 */
async function noteTargets(root: string, journal: Journal, ours: (source: string, step: Step) => boolean): Promise<void> {
  const before = await readKnown(root, journal.id);
  await rm(knownOf(root, journal.id), { force: true });
  let now: Known;
  try {
    now = await targetsNow(journal);
  } catch (error) {
    if (!(error instanceof LamellaError)) throw error;
    return;
  }
  const known = Object.assign(Object.create(null), before) as Record<string, Record<string, Seen>>;
  for (const { source, steps } of journal.parts) {
    const names = Object.assign(Object.create(null), known[source]) as Record<string, Seen>;
    for (const step of steps) {
      const target = now[source]?.[step.name];
      if (!ours(source, step)) continue;
      if (target) names[step.name] = target;
      else delete names[step.name];
    }
    known[source] = names;
  }
  await writeFile(knownOf(root, journal.id), JSON.stringify(known satisfies Known), { mode: 0o600 });
}

/** Of an apply that did not come to its end: which targets nobody had changed since the one before it. */
async function unchangedBefore(root: string, { id }: Journal): Promise<(source: string, step: Step) => boolean> {
  const known = await readKnown(root, id);
  return (source, { name, was }) => {
    const left = known?.[source]?.[name];
    return left === undefined || isSame(left, was);
  };
}

async function takeBack(root: string, journal: Journal, ours: (source: string, step: Step) => boolean): Promise<void> {
  await runMapped(rollbackProgram(root, journal, begunSteps(journal)));
  await noteTargets(root, journal, ours);
}

/** Those that were chosen, and the new directories which they are in. */
async function chosen(changes: AsyncIterable<ContainerChange>, select: ApplyOptions['select']): Promise<ContainerChange[]> {
  const found: ContainerChange[] = [];
  let parents: ContainerChange[] = [];
  for await (const change of changes) {
    parents = parents.filter((each) => each.view === change.view && change.name.startsWith(`${each.name}/`));
    if (!select || select(change)) {
      found.push(...parents, change);
      parents = [];
    } else if (change.after?.type === 'directory' && change.before?.type !== 'directory') parents.push(change);
  }
  return found;
}

/** With a change that is left alone goes all that is in it. */
function withBelow(some: readonly ContainerChange[], all: readonly ContainerChange[]): ContainerChange[] {
  const tops = some.filter((change) => change.kind !== 'deleted');
  // What was to be removed as a whole is not, when something new is in it.
  const above = (change: ContainerChange): boolean =>
    change.kind === 'deleted' && some.some((each) => each.view === change.view && each.name.startsWith(`${change.name}/`));
  return all.filter(
    (change) => some.includes(change) || above(change) || tops.some((top) => top.view === change.view && change.name.startsWith(`${top.name}/`)),
  );
}

function conflicting(conflicts: readonly ContainerChange[]): EngineError {
  const shown = conflicts.slice(0, 10).map(({ path: name }) => name);
  const more = conflicts.length - shown.length;
  return new EngineError({
    code: 'APPLY_CONFLICT',
    message: `the host has changed since the container began: ${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`,
    hint: 'Nothing was applied. --ours lets the container win, --theirs leaves what the host has; choose paths to apply others only.',
  });
}

/** Beside the store's own files where they can be renamed to the target from; else in the target, hidden. */
async function stageFor(root: string, id: string, source: string, name: string): Promise<string> {
  const [ours, theirs] = (await Promise.all([realpath(root), realpath(source)])).map(mountPointOf);
  return ours === theirs ? path.join(appliedOf(root, id), `stage-${name}`) : path.join(source, `.lamella-${name}`);
}

/** One way back for each directory: that of the last apply. */
async function forgetOthers(root: string, { id, parts, token }: Journal, before: Journal | undefined): Promise<void> {
  if (before && !before.undone) await runMapped(forgetProgram(root, id, before.parts, { whole: false }));
  for (const other of applied(root)) {
    const journal = other === id ? undefined : await readJournal(root, other);
    if (journal && journal.token !== token && journal.parts.some((part) => parts.some((own) => own.source === part.source)))
      await runMapped(forgetProgram(root, other, journal.parts, { whole: true }));
  }
}

/**
 * Undo what was done of an apply that failed, and say why it did.
 *
 * @returns undefined for one that was done all the same: its last word was lost
 */
async function failed(root: string, journal: Journal, before: Journal | undefined, error: unknown): Promise<unknown> {
  const { id, token } = journal;
  const held = busy(error);
  if (held) return held;
  const there = await readJournal(root, id);
  const began = there?.token === token;
  if (began && !there.undone && (await readMark(root, id)) === undefined) return undefined;
  try {
    if (!began) {
      await rm(applyingOf(root, id), { force: true });
      await runMapped(forgetProgram(root, id, journal.parts, { whole: !before }));
    } else {
      // Another command may have seen what was left, and taken it back already.
      if (!there.undone) await takeBack(root, journal, await unchangedBefore(root, journal));
      // The one before it can be taken back, as it could.
      if (before) await writeFile(journalOf(root, id), JSON.stringify(before), { mode: 0o600 });
    }
  } catch (second) {
    return incomplete(journal, second);
  }
  if (!(error instanceof SyscallError)) return error;
  const { op, code } = error;
  const changed = op.op === 'expect' || (op.op === 'renameat2' && code === 'EEXIST') || (op.op === 'openat2' && code !== 'EACCES');
  if (changed)
    return new EngineError({
      code: 'APPLY_CONFLICT',
      message: 'the host changed while its directory was being written',
      hint: 'Nothing was applied. Try again.',
      cause: error,
    });
  return new EngineError({
    code: 'APPLY_FAILED',
    message: `the changes cannot be applied: ${error.message}`,
    hint: code === 'EACCES' || code === 'EPERM' ? 'You may not write there. Nothing was applied.' : 'Nothing was applied.',
    cause: error,
  });
}

function busy(error: unknown): EngineError | undefined {
  if (!(error instanceof SyscallError) || error.op.op !== 'flock' || error.code !== 'EAGAIN') return undefined;
  return new EngineError({ code: 'APPLY_BUSY', message: 'another command is applying the same container', hint: 'Wait for its end.', cause: error });
}

function incomplete({ parts, id }: Journal, cause: unknown): EngineError {
  return new EngineError({
    code: 'APPLY_INCOMPLETE',
    message: `an apply of the container ${id} to ${parts.map((part) => part.source).join(', ')} cannot be taken back: ${(cause as Error).message}`,
    hint: `What was there before is in ${parts.map((part) => `${part.stage}/old`).join(', ')}. Remove what is in the way; the next command tries again.`,
    cause,
  });
}

/** @throws EngineError `UNDO_CONFLICT` when a target is not what the apply made of it */
async function refuseChanged(journal: Journal, known: Known | undefined): Promise<void> {
  const now = await targetsNow(journal);
  const changed = journal.parts.flatMap(({ source, steps }) =>
    steps.filter(({ name }) => !isSame(known?.[source]?.[name], now[source]?.[name])).map(({ name }) => path.join(source, textOf(Buffer.from(name, 'latin1')))),
  );
  if (known && !changed.length) return;
  throw new EngineError({
    code: 'UNDO_CONFLICT',
    message: known ? `what was applied has changed since: ${changed.slice(0, 10).join(', ')}` : 'it is not known whether what was applied has changed since',
    hint: 'Nothing was taken back. --force takes it back all the same, and what was changed is lost.',
  });
}
