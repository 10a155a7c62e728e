import { type Op, type SlotAllocator, slotAllocator, type Walked } from '@lamella/syscall';
import { beneathIfThere } from '../../filesystem/open-beneath.js';
import { openGiven } from '../../filesystem/sources/check-sources.js';
import { noteReplaced } from '../../filesystem/sources/follow-replaced.js';
import { shownPath } from './errors.js';
import { type Fingerprint, fingerprintOf, isDirectoryMode, isIdentical, looksSame } from './inspect/fingerprint.js';
import { KnownObjects, knownWith } from './inspect/known-objects.js';
import { openDirectory } from './inspect/parent-directories.js';
import type { Session } from './inspect/session.js';
import type { Journal, Kept, Mark, Part } from './program/journal.js';
import { copies, givenBack, journaled, openStage, removed, synced } from './program/ops.js';
import type { Staged, Step } from './program/steps.js';
import { contentOf, Left, noteAround, splitTo, type Tree, targetsOf } from './program/targets.js';
import { madeAs } from './program/verify.js';

/** What is taken back, and how. */
export interface TakeBack {
  readonly root: string;
  readonly journal: Journal;
  /** Says whether it is an undo; else it is what an apply began that did not come to its end. With `force` what is in the way is moved aside. */
  readonly mark: Mark;
}

/** What came of it. */
export interface TakenBack {
  readonly journal: Journal;
  /** Names of the host's files, and where what was theirs is kept now. */
  readonly kept: readonly { readonly path: string; readonly at: string }[];
}

/**
 * Takes an apply back, however far it came: each step that was begun finds out for itself whether it was done, and it can be
 * repeated. Nothing that is not exactly what the apply put there is removed: it stays, or is kept. The session holds the lock, and the mark is
 * there.
 */
export async function takeBack(session: Session, { root, journal, mark }: TakeBack): Promise<TakenBack> {
  const undo = mark.undo === 'begun';
  const force = mark.force === true;
  const slots = slotAllocator();
  const parent = slots();
  const kept: { path: string; at: string }[] = [];
  const directories: Kept[] = [];
  const knowns: KnownObjects[] = [];
  const back = new Map<string, Fingerprint>();
  for (const part of journal.parts) {
    const known = new KnownObjects(journal.known, part.source);
    const left = new Left(part, undo ? known : undefined);
    const [at, beside] = [slots(), slots()];
    await session.run([...openGiven(part.source, part.given, at), openStage(part, at, beside)]);
    const before = await contentOf(session, '.', beside);
    const copied = new Map(mark.copied?.find(({ stage }) => stage === part.stage)?.objects);
    const now = await targetsOf(session, slots, part);
    const program: Op[] = [];
    for (const step of part.steps.toReversed()) {
      const old = before.get(`old/${step.n}`);
      const tree = now.get(step.name);
      const standing = {
        made: left.made(step),
        isThere: tree !== undefined,
        isOurs: left.differences(step, tree).length === 0 || isStillOld(step, tree),
        old: old && fingerprintOf(old),
        force,
      };
      program.push(...beneathIfThere(at, step.name, parent, (dirfd, base) => givenBack(step, standing, beside, dirfd, base)));
    }
    await session.run([...program, ...synced(at)]);
    const rest = await contentOf(session, '.', beside);
    const worth = worthKeeping(part, left, rest, undo);
    kept.push(...worth.named);
    const directory = part.kept?.directory ?? part.stage;
    if (worth.any) directories.push({ source: part.source, directory });
    if (worth.any && part.kept) await keepCopies(session, slots, part, beside, rest);
    await noteGivenBack(session, slots, part, known, { before, copied, undo, back });
    knowns.push(known);
  }
  const known = knownWith(journal.known, knowns);
  const { before: earlier, ...own } = journal;
  // The one before can be taken back as it could, or nothing.
  const next: Journal =
    undo || !earlier ? { ...own, state: 'undone', parts: [], kept: directories, known } : { ...earlier, kept: [...earlier.kept, ...directories], known };
  if (mark.follows?.length) await noteReplaced(root, mark.follows, back);
  await session.run(journaled(root, next));
  return { journal: next, kept };
}

/** Whether the target of a step that was not begun is what it was. */
function isStillOld({ do: what, was }: Step, now: Tree | undefined): boolean {
  const top = now?.get('');
  if (!was || !top) return false;
  const is = fingerprintOf(top);
  return what === 'metadata' ? was.mode === is.mode && was.uid === is.uid && was.gid === is.gid && was.rest === is.rest : looksSame(was, is);
}

/** Finds what in a stage is a user's work, or could not be given back. */
function worthKeeping(
  part: Part,
  left: Left,
  rest: Tree,
  undo: boolean,
): { readonly any: boolean; readonly named: readonly { readonly path: string; readonly at: string }[] } {
  const named: { path: string; at: string }[] = [];
  const fresh = new Map<string, Map<string, Walked>>();
  for (const [name, object] of rest) {
    if (!name.startsWith('new/')) continue;
    const [n, below] = splitTo(name.slice('new/'.length));
    const tree = fresh.get(n) ?? new Map<string, Walked>();
    fresh.set(n, tree.set(below, object));
  }
  const directory = part.kept?.directory ?? part.stage;
  let any = false;
  for (const step of part.steps) {
    const path = shownPath(part.source, step.name);
    const keep = (where: string): void => {
      any = true;
      named.push({ path, at: `${directory}/${where}` });
    };
    if (rest.has(`aside/${step.n}`)) keep(`aside/${step.n}`);
    // A copy of a directory's permissions is there in any case.
    if (step.do !== 'metadata' && rest.has(`old/${step.n}`)) keep(`old/${step.n}`);
    if (!rest.has(`new/${step.n}`) || step.do === 'metadata' || step.do === 'remove') continue;
    const tree = fresh.get(String(step.n)) ?? new Map<string, Walked>();
    const differs = step.linkTo === undefined && left.differences(step, tree).filter((name) => name !== '' || !isMade(left, step, tree)).length > 0;
    if (differs) keep(`new/${step.n}`);
    // What an undo removes is kept, too; it is what the container has.
    else any ||= undo;
  }
  return { any, named };
}

/** Whether the object itself is what was made: the rename to the stage has changed its ctime. */
function isMade(left: Left, step: Step, tree: Tree): boolean {
  const [made, top] = [left.made(step), tree.get('')];
  return made !== undefined && top !== undefined && looksSame(made, fingerprintOf(top));
}

/** Copies what is to be kept from a stage in the target to the store. What was copied there before the apply is left for what was not given back. */
async function keepCopies(session: Session, slots: SlotAllocator, part: Part, from: number, rest: Tree): Promise<void> {
  if (!part.kept) return;
  const [to, parent] = [slots(), slots()];
  const { directory } = part.kept;
  const files = new Map<string, string>();
  const objects = [...rest.values()]
    .filter(({ name }) => /^(?:new|aside)\//.test(name))
    .map((object): Staged => {
      const isDirectory = isDirectoryMode(object.mode);
      const linkTo = isDirectory || object.links < 2 ? undefined : files.get(object.inode);
      if (!isDirectory && linkTo === undefined) files.set(object.inode, object.name);
      return { name: object.name, to: object.name, directory: isDirectory, linkTo, meant: fingerprintOf(object), path: `${part.stage}/${object.name}` };
    });
  const restored = part.steps.filter(({ n }) => !rest.has(`old/${n}`)).map(({ n }) => `${directory}/old/${n}`);
  await session.run([
    ...['new', 'aside'].flatMap((name): Op[] => [
      removed(`${directory}/${name}`),
      { op: 'mkdirat', dirfd: -100, pathname: `${directory}/${name}`, mode: 0o700 },
    ]),
    openDirectory(directory, to),
    ...copies(from, objects, to, '.', parent),
    ...synced(to),
    ...restored.map(removed),
  ]);
  const found = await contentOf(session, directory);
  madeAs(objects, found);
}

/** Notes what is there now: it is what was there before, and nobody's change since. */
async function noteGivenBack(
  session: Session,
  slots: SlotAllocator,
  part: Part,
  known: KnownObjects,
  {
    before,
    copied,
    undo,
    back,
  }: {
    readonly before: Tree;
    readonly copied: ReadonlyMap<string, Fingerprint>;
    readonly undo: boolean;
    /** Gets what was given back, by absolute path. */
    readonly back: Map<string, Fingerprint>;
  },
): Promise<void> {
  const now = await targetsOf(session, slots, part);
  for (const step of part.steps) {
    const tree = now.get(step.name);
    const top = tree?.get('');
    const is = top && fingerprintOf(top);
    const waited = before.get(`old/${step.n}`);
    const old = copied.get(String(step.n)) ?? (waited && fingerprintOf(waited));
    const isBack = is !== undefined && step.was !== undefined && isWhatWas(step, is, old);
    if (isBack) for (const [name, object] of tree ?? []) back.set(shownPath(part.source, name ? `${step.name}/${name}` : step.name), fingerprintOf(object));
    // What the host had changed before is its change still.
    if (step.conflict || (is && !isBack)) {
      if (undo) known.forget(step.name);
      continue;
    }
    if (!is) {
      if (!step.was) known.leave(step.name, null);
      continue;
    }
    if (step.do === 'metadata') known.add(step.name, is);
    else
      for (const [name, object] of tree ?? []) {
        if (name === '') known.leave(step.name, is);
        else known.add(`${step.name}/${name}`, fingerprintOf(object));
        if (object.links > 1 && !isDirectoryMode(object.mode)) known.leaveFile(fingerprintOf(object));
      }
  }
  await noteAround(session, slots, part, known);
}

function isWhatWas(step: Step, now: Fingerprint, old: Fingerprint | undefined): boolean {
  if (step.do === 'metadata') return step.was !== undefined && step.was.ino === now.ino;
  if (old && isIdentical(old, now)) return true;
  return step.was !== undefined && looksSame(step.was, now);
}
