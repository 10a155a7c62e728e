import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, readdirSync, renameSync, rmSync, type Stats, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type ContainerRecord, directoryOf, gateOf, keptOf, lockOf, releaseDead } from '@lamella/cleanup';
import { AT_FDCWD, lockFile, runMapped, tryLockFile } from '@lamella/syscall';
import { absent } from '../absent.js';
import { type ContainerConfig, formatConfig, layersOf } from '../container-config.js';
import { EngineError } from '../engine-error.js';
import { nameLinkOf, nameTaken, targetOf } from '../names.js';
import { stateDirectory, type View, viewsOf } from '../views.js';
import { aboutOf, type Checkpoint, headOf, historyOf, isInterrupted, parentOf, readFrozen } from './states.js';

/** A container at rest whose uppers are to be frozen, or exchanged. */
export interface Branching {
  readonly root: string;
  readonly record: ContainerRecord;
  readonly config: ContainerConfig;
  readonly views: readonly View[];
  /** What it stands on now, the latest first. */
  readonly frozen: readonly string[];
}

/** Overlayfs takes 500 lowers; an image's own are among them. */
const DEEPEST = 400;

/**
 * Freeze what a container has written, and let it go on above that: a few renames by this process itself,
 * whatever the size.
 *
 * @throws EngineError `CONTAINER_RUNNING`, `CHECKPOINT_TOO_DEEP`
 */
export async function checkpoint({ root, record, views, frozen }: Branching, message: string | undefined): Promise<Checkpoint> {
  if (frozen.length >= DEEPEST)
    throw new EngineError({
      code: 'CHECKPOINT_TOO_DEEP',
      message: `the container ${record.id} stands on ${frozen.length} checkpoints`,
      hint: 'Make an image of it (lamella commit), and go on from there.',
    });
  const made: Checkpoint = { id: newId(), created: new Date(), message, parent: frozen[0] };
  const { id, created, parent } = made;
  await using _held = await hold(record);
  mkdirSync(stateDirectory(root, id), { recursive: true, mode: 0o700 });
  writeFileSync(aboutOf(root, id), JSON.stringify({ created, message }), { mode: 0o600 });
  if (parent !== undefined) symlinkSync(parent, parentOf(root, id));
  remember(directoryOf(record), id);
  // From here on it is made: what is missing is done by whoever comes next.
  head(directoryOf(record), id);
  await freeze(root, views, id);
  return made;
}

/**
 * What a container stands on, the latest first. What an interrupted checkpoint or rollback left to be done is done.
 */
export async function settled(root: string, config: ContainerConfig): Promise<readonly string[]> {
  const record: ContainerRecord = { containers: path.join(root, 'containers'), id: config.id };
  const directory = directoryOf(record);
  const frozen = readFrozen(root, directory);
  const [last] = frozen;
  if (last === undefined) return frozen;
  const views = viewsOf({ root, directory, spec: config.spec, lowers: config.lowers, frozen });
  const uppers = views.map((view) => view.upperdir);
  if (!isInterrupted(root, last, uppers)) return frozen;
  await using _held = await hold(record);
  await freeze(root, views, last);
  return frozen;
}

/**
 * Let a container go on from a checkpoint, without what came after it, which is removed by and by.
 *
 * @param to one of its history; undefined for its beginning
 * @throws EngineError `CONTAINER_RUNNING`
 */
export async function rollback({ root, record, views }: Branching, to: string | undefined): Promise<void> {
  // A dead container: if nobody removes it now, a sweep does.
  const trash: ContainerRecord = { ...record, id: `${newId()}-discarded` };
  {
    await using _held = await hold(record);
    mkdirSync(directoryOf(trash), { mode: 0o700 });
    for (const { upperdir } of views) move(upperdir, path.join(directoryOf(trash), path.basename(upperdir)));
    head(directoryOf(record), to);
    for (const { upperdir, source } of views) {
      const name = path.basename(upperdir);
      await fresh(upperdir, [
        path.join(directoryOf(trash), name),
        ...(to === undefined ? [] : [path.join(stateDirectory(root, to), name)]),
        ...(source === undefined ? [] : [source]),
      ]);
    }
  }
  // Whoever asked does not wait for it, and what fails here a sweep tries again, and tells.
  setImmediate(() => void releaseDead(trash).catch(() => undefined));
}

/**
 * Make containers that go on from where one is, each by itself: nothing is copied.
 *
 * @param names of the new ones; undefined for one without
 * @throws EngineError `CONTAINER_EXISTS`, `CONTAINER_RUNNING`
 */
export async function fork(
  { record, config, frozen, views }: Branching,
  history: readonly Checkpoint[],
  names: readonly (string | undefined)[],
): Promise<readonly ContainerConfig[]> {
  const { containers } = record;
  const created = new Date().toISOString();
  const configs = names.map((name): ContainerConfig => {
    const { name: _, ...spec } = config.spec;
    return { ...config, id: newId(), created, since: config.since ?? config.created, spec: { ...spec, ...(name === undefined ? {} : { name }), keep: true } };
  });
  await using _held = await hold(record);
  const made: string[] = [];
  try {
    for (const each of configs) {
      const own: ContainerRecord = { containers, id: each.id };
      const directory = directoryOf(own);
      const write = (file: string, data: string): void => writeFileSync(file, data, { flag: 'wx', mode: 0o600 });
      mkdirSync(directory, { mode: 0o700 });
      made.push(directory);
      if (each.spec.name !== undefined) take(containers, each.spec.name, each.id);
      write(lockOf(own), '');
      write(path.join(directory, 'config.json'), formatConfig(each));
      write(path.join(directory, 'layers'), layersOf(each));
      for (const { id } of history) remember(directory, id);
      if (frozen[0] !== undefined) head(directory, frozen[0]);
      for (const { upperdir } of views) await fresh(path.join(directory, path.basename(upperdir)), [upperdir]);
      // With this file it stays: until then a sweep takes it away.
      write(keptOf(own), '');
    }
  } catch (error) {
    // All of them, or none.
    for (const directory of made) rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  return configs;
}

/** Whether it has written nothing since it was frozen last. */
export function isUntouched(views: readonly View[]): boolean {
  return views.every(({ upperdir }) => {
    try {
      return readdirSync(upperdir).length === 0;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EACCES') return false;
      absent(error as NodeJS.ErrnoException);
      return true;
    }
  });
}

function newId(): string {
  return randomUUID().replace('-', '').slice(0, 12);
}

/**
 * Hold a container, which does not run; and the gate, so that nobody takes what is being made for dead.
 *
 * @throws EngineError `CONTAINER_RUNNING`
 */
export async function hold(record: ContainerRecord): Promise<AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  try {
    stack.use(await lockFile(gateOf(record.containers), { shared: true }));
    const lock = await tryLockFile(lockOf(record), { create: false });
    if (!lock) throw new EngineError({ code: 'CONTAINER_RUNNING', message: `the container ${record.id} is running`, hint: `lamella stop ${record.id}` });
    stack.use(lock);
    return stack;
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

function take(containers: string, name: string, id: string): void {
  try {
    symlinkSync(targetOf(id), nameLinkOf(containers, name));
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? nameTaken(name, error) : error;
  }
}

/** Say which state a container stands on, or that there is none. */
function head(directory: string, id: string | undefined): void {
  const link = headOf(directory);
  if (id === undefined) {
    rmSync(link, { force: true });
    return;
  }
  rmSync(`${link}.next`, { force: true });
  symlinkSync(id, `${link}.next`);
  renameSync(`${link}.next`, link);
}

/** Note that a container can go back to a state. */
function remember(directory: string, id: string): void {
  mkdirSync(historyOf(directory), { recursive: true, mode: 0o700 });
  symlinkSync(id, path.join(historyOf(directory), id));
}

/** Move the uppers to a state, and make others; what of that is done already is left. */
async function freeze(root: string, views: readonly View[], id: string): Promise<void> {
  for (const { upperdir } of views) {
    const state = path.join(stateDirectory(root, id), path.basename(upperdir));
    // One that is there was frozen before the interruption, and what is new is new.
    if (!statSync(state, { throwIfNoEntry: false })) move(upperdir, state);
    await fresh(upperdir, [state]);
  }
}

/** Rename, if it is there. */
function move(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    absent(error as NodeJS.ErrnoException);
  }
}

/** An empty upper that looks like another one at its top, for that is the top of what is seen. */
async function fresh(upperdir: string, like: readonly string[]): Promise<void> {
  mkdirSync(upperdir, { recursive: true, mode: 0o755 });
  const model = like.find((each) => statSync(each, { throwIfNoEntry: false }));
  if (model === undefined) return;
  const [was, is] = [statSync(model), statSync(upperdir)];
  if (looksLike(was, is)) return;
  try {
    chownSync(upperdir, was.uid, was.gid);
    chmodSync(upperdir, was.mode & 0o7777);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
    // An id of this user's containers, which only they may give away.
    await runMapped([{ op: 'copy_object', olddirfd: AT_FDCWD, newdirfd: AT_FDCWD, metadata: 1, oldpath: model, newpath: upperdir }]);
  }
}

function looksLike(a: Stats, b: Stats): boolean {
  return a.uid === b.uid && a.gid === b.gid && a.mode === b.mode;
}
