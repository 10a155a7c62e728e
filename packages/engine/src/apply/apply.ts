import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { readFile, realpath, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AT_FDCWD, LamellaError, type Op, parseWalked, run, runMapped, SyscallError } from '@lamella/syscall';
import type { ContainerChange } from '../containers/changes.js';
import { EngineError } from '../engine-error.js';
import type { View } from '../views.js';
import { conflictsIn } from './conflicts.js';
import {
  type After,
  afterOf,
  applied,
  appliedOf,
  applyingOf,
  begunSteps,
  type Journal,
  journalOf,
  type Part,
  readAfter,
  readJournal,
  readMark,
  readPlan,
  underWay,
} from './journal.js';
import { applyProgram, forgetProgram, type PartWork, rollbackProgram, tellingProgram } from './programs.js';
import { type Seen, seen, workFor } from './steps.js';

/** What to do about targets that the host changed since the container began. */
export type OnConflict = 'fail' | 'ours' | 'theirs';

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
 * @throws EngineError `APPLY_CONFLICT`, `APPLY_BUSY`, `APPLY_FAILED`; nothing is changed then
 */
export async function apply(applier: Applier, changes: AsyncIterable<ContainerChange>, options: ApplyOptions = {}): Promise<Applied> {
  const { root, id } = applier;
  const { onConflict = 'fail' } = options;
  await recover(root);
  await forgetPlans(root);
  const wanted = await chosen(changes, options.select);
  const before = await readJournal(root, id);
  const conflicts = conflictsIn(wanted, applier.since, before && knownOf(before, await readAfter(root, id)));
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
  const parts = works.map(({ source, stage, steps }): Part => ({ source, stage, steps }));
  const journal: Journal = { version: 1, token, id, created: new Date().toISOString(), parts };
  try {
    await run(await applyProgram(root, journal, works));
  } catch (error) {
    const told = await failed(root, journal, before, error);
    if (told !== undefined) throw told;
  }
  await noteTargets(root, journal);
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
  const after = await readAfter(root, id);
  if (!journal || journal.undone)
    throw new EngineError({
      code: 'UNDO_NOTHING',
      message: `nothing of the container ${id} was applied`,
      hint: 'An apply can be taken back until the next one to the same directory.',
    });
  if (!force) await refuseChanged(journal, after);
  await takeBack(root, journal).catch((error: unknown) => {
    throw busy(error) ?? error;
  });
  return journal.parts.reduce((sum, part) => sum + part.steps.length, 0);
}

/** Take back what a crash left half done. Costs one readdir when there is nothing. */
export async function recover(root: string): Promise<void> {
  for (const id of underWay(root)) {
    const journal = await readJournal(root, id);
    // Without its own journal nothing of the host was touched.
    if (!journal || journal.token !== (await readMark(root, id))) {
      await rm(applyingOf(root, id), { force: true });
      continue;
    }
    try {
      await takeBack(root, journal);
    } catch (error) {
      // Somebody is at it.
      if (!busy(error)) throw incomplete(journal, error);
    }
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

/** Write down what the targets are now. Where that fails, who takes them back is told that nobody knows. */
async function noteTargets(root: string, journal: Journal): Promise<void> {
  const { program, told } = tellingProgram(journal);
  // Any name may be a target's, __proto__ too.
  const after = journal.parts.map(() => Object.create(null) as Record<string, Seen | undefined>);
  await rm(afterOf(root, journal.id), { force: true });
  try {
    await run(program, {
      onReply(reply) {
        const where = reply.kind === 'data' ? told.get(reply.index) : undefined;
        const part = where && after[where.part];
        if (part && reply.kind === 'data') part[where.step.name] = seen(parseWalked(reply.data));
      },
    });
    await writeFile(afterOf(root, journal.id), JSON.stringify(after satisfies After), { mode: 0o600 });
  } catch (error) {
    if (!(error instanceof LamellaError)) throw error;
  }
}

async function takeBack(root: string, journal: Journal): Promise<void> {
  await runMapped(rollbackProgram(root, journal, begunSteps(journal)));
  await noteTargets(root, journal);
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

/** What the last apply left at its targets is no change of somebody else's. */
function knownOf(journal: Journal, after: After | undefined): (view: View, name: string) => Seen | undefined {
  return (view, name) => after?.[journal.parts.findIndex((part) => part.source === view.source)]?.[name];
}

/** Beside the store's own files where they can be renamed to the target from; else in the target, hidden. */
async function stageFor(root: string, id: string, source: string, name: string): Promise<string> {
  const [ours, theirs] = await Promise.all([mountOf(root), mountOf(source)]);
  return ours === theirs ? path.join(appliedOf(root, id), `stage-${name}`) : path.join(source, `.lamella-${name}`);
}

/** The mount point that a path is on. */
async function mountOf(pathname: string): Promise<string> {
  const real = await realpath(pathname);
  const points = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))))
    .filter((point) => point && (point === '/' || real === point || real.startsWith(`${point}/`)));
  return points.reduce((longest, point) => (point.length >= longest.length ? point : longest), '/');
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
  const mark = await readMark(root, id);
  const began = (await readJournal(root, id))?.token === token;
  if (began && mark === undefined) return undefined;
  try {
    if (began) {
      await takeBack(root, journal);
      // The one before it can be taken back, as it could.
      if (before) await writeFile(journalOf(root, id), JSON.stringify(before), { mode: 0o600 });
      if (before) await noteTargets(root, before);
    } else {
      await rm(applyingOf(root, id), { force: true });
      await runMapped(forgetProgram(root, id, journal.parts, { whole: !before }));
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
async function refuseChanged(journal: Journal, after: After | undefined): Promise<void> {
  const program: Op[] = [];
  const targets = new Map<number, string>();
  const now = new Map<string, Seen>();
  const left = new Map<string, Seen | undefined>();
  for (const [i, { source, steps }] of journal.parts.entries())
    for (const { do: what, name } of steps) {
      const pathname = path.join(source, Buffer.from(name, 'latin1').toString());
      targets.set(program.length, pathname);
      left.set(pathname, what === 'remove' ? undefined : after?.[i]?.[name]);
      program.push({
        op: 'statx',
        dirfd: AT_FDCWD,
        pathname: Buffer.concat([Buffer.from(`${source}/`), Buffer.from(name, 'latin1')]),
        ignore: ['ENOENT', 'ENOTDIR'],
      });
    }
  await run(program, {
    onReply(reply) {
      const target = reply.kind === 'data' ? targets.get(reply.index) : undefined;
      if (target !== undefined && reply.kind === 'data') now.set(target, seen(parseWalked(reply.data)));
    },
  });
  const same = (a: Seen | undefined, b: Seen | undefined): boolean => a?.ctimeSeconds === b?.ctimeSeconds && a?.ctimeNanoseconds === b?.ctimeNanoseconds;
  const changed = [...left].filter(([target, expected]) => !same(expected, now.get(target))).map(([target]) => target);
  if (!after || changed.length)
    throw new EngineError({
      code: 'UNDO_CONFLICT',
      message: after ? `what was applied has changed since: ${changed.slice(0, 10).join(', ')}` : 'it is not known whether what was applied has changed since',
      hint: 'Nothing was taken back. --force takes it back all the same, and what was changed is lost.',
    });
}
