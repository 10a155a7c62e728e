import { AT_FDCWD, type Op, type Program, type SlotAllocator, type Walked } from '@lamella/syscall';
import { beneath, unlessGone } from '../../../filesystem/open-beneath.js';
import { openGiven } from '../../../filesystem/sources/check-sources.js';
import { type Fingerprint, fingerprintOf, hasSameMetadata, isDirectoryMode, isIdentical, isUntouched, looksSame } from '../inspect/fingerprint.js';
import type { KnownObjects } from '../inspect/known-objects.js';
import { namesAbove } from '../inspect/parent-directories.js';
import type { Session } from '../inspect/session.js';
import type { Part } from './journal.js';
import type { Step } from './steps.js';

/** What is at a target: the object, and all that is in it, by path below it; the object's own is empty. */
export type Tree = ReadonlyMap<string, Walked>;

const treeOf = (told: readonly Walked[] = []): Tree => new Map(told.map((object) => [object.name, object]));

/**
 * Returns what is in a directory of ours, by path below it; nothing if it is not there.
 *
 * @param dirfd slot of the directory that the path begins in
 */
export async function contentOf(session: Session, directory: string, dirfd: number = AT_FDCWD): Promise<Tree> {
  const op: Op = { op: 'walk', dirfd, content: 0, pathname: directory, ignore: ['ENOENT', 'ENOTDIR'] };
  const { told } = await session.run([op]);
  const found = new Map(treeOf(told.get(0)));
  found.delete('');
  return found;
}

/** A directory of the host, and the object that it must be. */
export type Where = Pick<Part, 'source' | 'given'>;

/** Parts the `to` of an object into its step, and its path below the object of that: empty for the object itself. */
export function splitTo(to: string): readonly [n: string, below: string] {
  const slash = to.indexOf('/');
  return slash < 0 ? [to, ''] : [to.slice(0, slash), to.slice(slash + 1)];
}

/** Looks at something below a directory of the host for each of some names. What is gone is not among the answers. */
async function lookBelow(
  session: Session,
  slots: SlotAllocator,
  { source, given }: Where,
  names: readonly string[],
  op: 'walk' | 'statx',
): Promise<Map<string, Tree>> {
  const [top, parent] = [slots(), slots()];
  const look = (dirfd: number, pathname: Buffer | string): Program => (op === 'walk' ? [{ op, dirfd, content: 0, pathname }] : [{ op, dirfd, pathname }]);
  const program: Op[] = [...openGiven(source, given, top)];
  const told = new Map<number, string>();
  for (const name of names) {
    const ops = unlessGone(name === '' ? look(top, '') : beneath(top, name, parent, look));
    told.set(program.length + ops.findIndex((each) => each.op === op), name);
    program.push(...ops);
  }
  const found = await session.run([...program, { op: 'close', fd: top }]);
  return new Map([...told].flatMap(([at, name]) => (found.told.has(at) ? [[name, treeOf(found.told.get(at))] as const] : [])));
}

/** Returns what is at the targets of an apply to one directory now, by their names. */
export async function targetsOf(session: Session, slots: SlotAllocator, part: Where & Pick<Part, 'steps'>): Promise<Map<string, Tree>> {
  const { steps } = part;
  const whole = steps.filter((step) => step.do !== 'metadata').map(({ name }) => name);
  const alone = steps.filter((step) => step.do === 'metadata').map(({ name }) => name);
  return new Map([...(await lookBelow(session, slots, part, whole, 'walk')), ...(await lookBelow(session, slots, part, alone, 'statx'))]);
}

/** Returns what is at some names now, without what is in them. */
export async function objectsOf(session: Session, slots: SlotAllocator, where: Where, names: readonly string[]): Promise<Map<string, Walked>> {
  const found = await lookBelow(session, slots, where, names, 'statx');
  return new Map([...found].flatMap(([name, tree]) => [...tree.values()].slice(0, 1).map((object) => [name, object] as const)));
}

/** The directories that the targets of some steps are in, and those above. */
const placesIn = (steps: readonly Step[]): string[] => [
  ...new Set(steps.flatMap(({ name, linkTo }) => [...namesAbove(name), ...(linkTo === undefined ? [] : namesAbove(linkTo))])),
];

/** As {@link placesIn}, without those that the steps put there themselves. */
export function placesBefore(steps: readonly Step[]): string[] {
  const come = new Set(steps.filter(({ do: what }) => what !== 'metadata').map(({ name }) => name));
  return placesIn(steps).filter((name) => ![...namesAbove(name), name].some((each) => come.has(each)));
}

/** Notes what steps of ours did to others than their targets: the files that new names are links to, and the directories that names are in. */
export async function noteAround(session: Session, slots: SlotAllocator, part: Part, known: KnownObjects): Promise<void> {
  const made = new Map(part.made);
  const anchors = new Map(part.steps.flatMap(({ n, linkTo, conflict }) => (linkTo === undefined || conflict ? [] : [[linkTo, made.get(String(n))] as const])));
  for (const [name, object] of await objectsOf(session, slots, part, [...anchors.keys()])) {
    const was = anchors.get(name);
    if (!was || !looksSame(was, fingerprintOf(object))) continue;
    known.add(name, fingerprintOf(object));
    // Its ctime changes once more when what an undo keeps is removed.
    if (!isDirectoryMode(object.mode)) known.leaveFile(fingerprintOf(object));
  }
  const doubtful = new Set(part.doubtful);
  for (const name of doubtful) known.doubt(name);
  const places = placesIn(part.steps).filter((name) => !doubtful.has(name));
  const before = new Map(part.places);
  const clean = new Set(part.clean);
  for (const [name, object] of await objectsOf(session, slots, part, places)) {
    const [was, now] = [before.get(name), fingerprintOf(object)];
    known.leavePlace(name, now, clean.has(name) && was !== undefined && hasSameMetadata(was, now));
  }
}

/** Compares what is at a target with what an apply left there. */
export class Left {
  /** By the step, and by the path below its object. */
  readonly #made = new Map<string, Map<string, Fingerprint>>();
  readonly #linked = new Set<string>();
  readonly #names: ReadonlySet<string>;
  readonly #known: KnownObjects | undefined;

  /** @param known what was noted after the apply; without it times of change are not compared */
  constructor(part: Part, known: KnownObjects | undefined) {
    for (const [to, made] of part.made) {
      const [n, below] = splitTo(to);
      const tree = this.#made.get(n) ?? new Map<string, Fingerprint>();
      this.#made.set(n, tree.set(below, made));
    }
    this.#names = new Set(part.steps.map(({ name }) => name));
    this.#known = known;
    const seen = new Set<string>();
    for (const [, { ino, mode }] of part.made) {
      if (!isDirectoryMode(mode) && seen.has(ino)) this.#linked.add(ino);
      seen.add(ino);
    }
  }

  made(step: Step): Fingerprint | undefined {
    return this.#made.get(String(step.n))?.get('');
  }

  /** Returns the names, below the target, of what is not what the apply left: empty when all is. The target's own is the empty name. */
  differences(step: Step, now: Tree | undefined): string[] {
    const top = now?.get('');
    const made = this.made(step);
    if (step.do === 'remove') return top ? [''] : [];
    if (!top) return [''];
    const is = fingerprintOf(top);
    if (step.do === 'metadata')
      return step.was && made && hasSameMetadata(is, { ...made, ino: step.was.ino, btime: step.was.btime, mode: made.mode }) ? [] : [''];
    if (!made || !isIdentical(made, is)) return [''];
    // Another name of a file of the host: what is in it is there, too.
    if (step.linkTo !== undefined) return top.links > 1 ? [] : [''];
    const found: string[] = [];
    const left = this.#known?.object(step.name);
    if (!looksSame(made, is) || (left && !isDirectoryMode(is.mode) && !isUntouched(left, is))) found.push('');
    const tree = this.#made.get(String(step.n));
    for (const [below, each] of tree ?? []) {
      if (below === '') continue;
      const object = now?.get(below);
      if (!object || !this.#isLeft(each, fingerprintOf(object))) found.push(below);
    }
    for (const name of now?.keys() ?? []) if (name && !tree?.has(name) && !this.#names.has(`${step.name}/${name}`)) found.push(name);
    return found;
  }

  #isLeft(made: Fingerprint, now: Fingerprint): boolean {
    if (isDirectoryMode(made.mode)) return hasSameMetadata(made, now);
    // The names of one file change its ctime as they come to their places.
    return this.#linked.has(made.ino) ? looksSame(made, now) : isUntouched(made, now);
  }
}
