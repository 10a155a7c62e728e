import type { Op, Program, SlotAllocator } from '@lamella/syscall';
import { SAME } from '@lamella/syscall';
import { beneath } from '../../filesystem/open-beneath.js';
import { openGiven } from '../../filesystem/sources/check-sources.js';
import { followedBy } from '../../filesystem/sources/follow-replaced.js';
import { EngineError } from '../../model/engine-error.js';
import type { CheckedMount } from '../../model/writable-mount.js';
import { changedMeanwhile, shownPath } from './errors.js';
import { type Fingerprint, fingerprintOf, isDirectoryMode, isIdentical, looksSame } from './inspect/fingerprint.js';
import { type KnownObjects, knownWith } from './inspect/known-objects.js';
import { namesAbove } from './inspect/parent-directories.js';
import type { Directories } from './inspect/same-directory.js';
import type { Session } from './inspect/session.js';
import { foreignStages, type Journal, type Mark, type Part } from './program/journal.js';
import { checkOf, copies, expected, journaled, linked, marked, stageMade, synced, taken } from './program/ops.js';
import type { StagePlace } from './program/stage.js';
import type { Staged, Step, Work } from './program/steps.js';
import { contentOf, noteAround, objectsOf, placesBefore, type Tree, targetsOf } from './program/targets.js';
import { cameBetween, madeAs } from './program/verify.js';
import { replacedBy } from './replaced-paths.js';

/** What is to be done to one directory of the host, and from what. */
export interface PartWork extends Work {
  readonly view: CheckedMount;
  readonly source: string;
  readonly known: KnownObjects;
  /** Slot of what is in the view now. */
  readonly upper: number;
  readonly directories: Directories | undefined;
}

export interface StagedPart extends PartWork, StagePlace {}

/** A part whose directories are open. */
interface OpenPart extends StagedPart {
  readonly at: number;
  readonly beside: number;
  readonly keptAt: number | undefined;
}

/** What an apply is of. */
export interface ApplyOf {
  readonly root: string;
  readonly id: string;
  readonly token: string;
  /** The one before it. */
  readonly before: Journal | undefined;
  /** Stages that an earlier one could not remove. */
  readonly left: Mark['stages'];
}

/**
 * The course of an apply: everything is made beside the targets and compared with what it must equal. Before the first target changes,
 * all of it and the journal are on the disk. From then on each step can be undone, until the journal is marked as done: then all of it is.
 */
export class Applying {
  readonly #session: Session;
  readonly #of: ApplyOf;
  readonly #parts: readonly OpenPart[];
  /** A slot for the directory that a name is in, and another. */
  readonly #parent: number;
  readonly #other: number;
  readonly #slots: SlotAllocator;

  constructor(session: Session, slots: SlotAllocator, of: ApplyOf, parts: readonly StagedPart[]) {
    this.#session = session;
    this.#of = of;
    this.#slots = slots;
    this.#parts = parts.map((part) => ({ ...part, at: slots(), beside: slots(), keptAt: part.keep === undefined ? undefined : slots() }));
    this.#parent = slots();
    this.#other = slots();
  }

  /**
   * @returns its journal, and its mark, which is to be removed with all that nothing needs any more
   * @throws SyscallError, EngineError when it failed; what was begun is to be taken back then
   */
  async run(): Promise<{ readonly journal: Journal; readonly mark: Mark }> {
    const { root, id, token, before, left } = this.#of;
    const foreign = foreignStages(
      this.#parts.map(({ source, view: { given }, stage, keep }) => ({ source, ...(given ? { given } : {}), stage, ...keptIn(keep, []) })),
    );
    const mark: Mark = { token, stages: [...left, ...foreign], follows: await followedBy(root, replacedBy(this.#parts)) };
    await this.#session.run(marked(root, id, mark));
    const parts: Part[] = [];
    for (const part of this.#parts) parts.push(await this.#staged(part));
    const journal: Journal = {
      version: 3,
      token,
      id,
      created: new Date().toISOString(),
      state: 'begun',
      parts,
      kept: [],
      known: before?.known ?? [],
      ...(before ? { before } : {}),
    };
    await this.#session.run(journaled(root, journal));
    const touched = new Set<string>();
    await this.#session.run(this.#parts.flatMap((part, i) => this.#check(part, parts[i])));
    await this.#session.run(this.#parts.flatMap((part, i) => this.#take(part, parts[i], touched)));
    for (const [i, part] of this.#parts.entries()) await this.#verify(part, parts[i], touched);
    const known = knownWith(
      before?.known ?? [],
      this.#parts.map((part) => part.known),
    );
    const { before: _, ...own } = journal;
    const done: Journal = { ...own, ...this.#withEarlier(parts), state: 'done', known };
    await this.#session.run([...this.#parts.flatMap((part) => synced(part.at)), ...journaled(root, done)]);
    return { journal: done, mark };
  }

  /** Returns the path of what a copy to one of the stages is of, for a message. Steps of each part are counted by themselves. */
  copied(stage: number, to: string): string | undefined {
    const part = this.#parts.find(({ beside, keptAt }) => stage === beside || stage === keptAt);
    const slash = to.indexOf('/');
    const objects = to.slice(0, slash) === 'new' ? part?.staged : part?.replaced;
    return objects?.find((object) => object.to === to.slice(slash + 1))?.path;
  }

  /** Returns the parts of this apply, and what the one before it left of other sources: that stays until an apply to those. */
  #withEarlier(parts: readonly Part[]): Pick<Journal, 'parts' | 'kept' | 'forgotten'> {
    const { before } = this.#of;
    const others = <Each extends { readonly source: string }>(earlier: readonly Each[]): Each[] =>
      earlier.filter(({ source }) => parts.every((part) => part.source !== source));
    const kept = others(before?.kept ?? []);
    if (before?.state !== 'done') return { parts, kept };
    const forgotten = (before.forgotten ?? []).filter((source) => parts.every((part) => part.source !== source));
    return { parts: [...parts, ...others(before.parts)], kept, forgotten };
  }

  /** Makes the new objects of a part, and copies the old ones where they cannot stay. */
  async #staged(part: OpenPart): Promise<Part> {
    const { source, stage, keep, at, beside, keptAt, upper, staged, steps, replaced } = part;
    const { given } = part.view;
    const where = { source, ...(given ? { given } : {}) };
    const directories = new Set(steps.filter((step) => step.do === 'metadata').map(({ n }) => String(n)));
    const before = replaced.filter(({ to }) => directories.has(to));
    let program: Op[] = [
      ...openGiven(source, given, at),
      ...stageMade({ stage, kept: keep }, at, beside),
      ...copies(upper, staged, beside, 'new', this.#parent),
      ...copies(at, before, beside, 'old', this.#parent),
      ...synced(beside),
    ];
    if (keep !== undefined && keptAt !== undefined)
      program = [...program, ...stageMade({ stage: keep }, at, keptAt), ...copies(at, replaced, keptAt, 'old', this.#parent), ...synced(keptAt)];
    await this.#session.run(program);
    const made = madeAs(staged, await contentOf(this.#session, 'new', beside));
    if (keep !== undefined) madeAs(replaced, await contentOf(this.#session, `${keep}/old`));
    // Another name of a file of the host is that file.
    const anchors = await objectsOf(this.#session, this.#slots, where, [...new Set(steps.flatMap(({ linkTo }) => linkTo ?? []))]);
    for (const { n, linkTo } of steps) {
      const anchor = linkTo === undefined ? undefined : anchors.get(linkTo);
      if (anchor) made.set(String(n), fingerprintOf(anchor));
    }
    const places = await objectsOf(this.#session, this.#slots, where, placesBefore(steps));
    return {
      ...where,
      stage,
      steps,
      made: [...made],
      places: [...places].map(([name, object]) => [name, fingerprintOf(object)] as const),
      doubtful: [...places.keys()].filter((name) => part.directories?.itself(name) !== 'same' || part.directories.above(name) !== 'same'),
      clean: [...places.keys()].filter((name) => part.directories?.isClean(name)),
      ...keptIn(keep, replaced),
    };
  }

  /** That all targets are still what they were when it was decided. */
  #check({ at }: OpenPart, part: Part | undefined): Program {
    return (part?.steps ?? []).flatMap(({ name, was }) => {
      if (!was) return [];
      // Names in a directory that only gets other permissions may come and go.
      const what = isDirectoryMode(was.mode) ? SAME.METADATA : SAME.CONTENT | SAME.METADATA | SAME.CTIME;
      return beneath(at, name, this.#parent, (dirfd, base) => [expected(dirfd, base, was, what)]);
    });
  }

  #take({ at, beside }: OpenPart, part: Part | undefined, touched: Set<string>): Program {
    if (!part) return [];
    const places = new Map(part.places);
    const made = new Map(part.made);
    const within = (name: string, slot: number, ops: (dirfd: number, base: Buffer) => Program): Program => {
      const place = places.get(namesAbove(name).at(-1) ?? '');
      // Nobody exchanges the directory that a name is in: it is the descriptor itself that is asked.
      return beneath(at, name, slot, (dirfd, base) => [...(place ? [expected(dirfd, '', place, SAME.IDENTITY)] : []), ...ops(dirfd, base)]);
    };
    // A directory that its new mode closes is changed after what is below it.
    const ordered = [...part.steps.filter((step) => step.do !== 'metadata'), ...part.steps.filter((step) => step.do === 'metadata').toReversed()];
    return ordered.flatMap((step) => {
      const { name, linkTo, was, n } = step;
      const what = checkOf(step, was !== undefined && touched.has(was.ino));
      if (was) touched.add(was.ino);
      const anchor = linkTo === undefined ? undefined : made.get(String(n));
      if (anchor) touched.add(anchor.ino);
      return [
        ...(linkTo === undefined || !anchor ? [] : within(linkTo, this.#other, (dirfd, base) => linked(anchor, dirfd, base, beside, n))),
        ...within(name, this.#parent, (dirfd, base) => taken(step, what, beside, dirfd, base)),
      ];
    });
  }

  /** Checks that the objects moved away are those seen before, and that the objects there now are those made; notes the latter. */
  async #verify({ beside, replaced, known }: OpenPart, part: Part | undefined, touched: ReadonlySet<string>): Promise<void> {
    if (!part) return;
    const old = await contentOf(this.#session, 'old', beside);
    const moved = new Set(part.steps.filter(({ do: what }) => what !== 'put' && what !== 'metadata').map(({ n }) => String(n)));
    const wrong = cameBetween(moved, replaced, old, touched);
    if (wrong.length) throw changedMeanwhile(wrong);
    const now = await targetsOf(this.#session, this.#slots, part);
    const made = new Map(part.made);
    for (const step of part.steps) {
      const shown = shownPath(part.source, step.name);
      const tree = now.get(step.name);
      const top = tree?.get('');
      if (step.do === 'remove') {
        known.leave(step.name, null);
        continue;
      }
      if (!top) throw changedMeanwhile([shown]);
      const is = fingerprintOf(top);
      const meant = made.get(String(step.n));
      if (step.do === 'metadata') {
        const wrongNow = meant && meant.mode === is.mode && meant.uid === is.uid && meant.gid === is.gid && meant.rest === is.rest ? undefined : shown;
        if (wrongNow !== undefined)
          throw new EngineError({
            code: 'APPLY_FAILED',
            message: `${shown} does not have the permissions, owner and attributes that it was given`,
            hint: 'Nothing was applied. Something on the host changes them, or its filesystem cannot keep them.',
          });
        known.add(step.name, is);
        continue;
      }
      if (!meant || !isIdentical(meant, is)) throw changedMeanwhile([shown]);
      leaveTree(known, step, tree, made);
    }
    await noteAround(this.#session, this.#slots, part, known);
    for (const object of old.values()) if (object.links > 1 && !isDirectoryMode(object.mode)) known.leaveFile(fingerprintOf(object));
  }
}

/** Says where the old objects of a part are kept, if not in the stage. */
const keptIn = (keep: string | undefined, objects: readonly Staged[]): Pick<Part, 'kept'> => (keep === undefined ? {} : { kept: { directory: keep, objects } });

/** Notes a new object and all that came in it. What other processes have put there in between is not noted. */
function leaveTree(known: KnownObjects, { name, n }: Step, tree: Tree | undefined, made: ReadonlyMap<string, Fingerprint>): void {
  for (const [below, object] of tree ?? []) {
    const is = fingerprintOf(object);
    const meant = made.get(below === '' ? String(n) : `${n}/${below}`);
    if (!meant) continue;
    // Another process was faster: it is not what was left here.
    const left = looksSame(meant, is) ? is : meant;
    if (below === '') known.leave(name, left);
    else known.add(`${name}/${below}`, left);
  }
}
