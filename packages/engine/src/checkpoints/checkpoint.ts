import { chmodSync, chownSync, mkdirSync, renameSync, rmSync, type Stats, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ContainerRecord, directoryOf, gateOf, keptOf, lockOf, releaseDead } from '@lamella/cleanup';
import { AT_FDCWD, COPY, ignoreMissing, lockFile, type Op, run, runInUserNamespace, tryLockFile } from '@lamella/syscall';
import { began } from '../changes/apply/conflicts/start-time.js';
import { permitted } from '../filesystem/host/host-program.js';
import { readSources } from '../filesystem/sources/record-sources.js';
import { isEmpty } from '../filesystem/sources/unchanged-overlays.js';
import { likeSource } from '../filesystem/volumes.js';
import { stateDirectory, writableMountsOf } from '../filesystem/writable-mounts.js';
import { ownIds, rangeLinksOf, rangeTaken } from '../isolation/userns.js';
import { isAlive, stateOf } from '../lifecycle/state.js';
import type { ContainerConfig } from '../model/container-config.js';
import { EngineError } from '../model/engine-error.js';
import type { WritableMount } from '../model/writable-mount.js';
import { formatConfig, layersOf } from '../store/config-file.js';
import { randomId } from '../store/identifiers.js';
import { nameLinkOf, nameTaken, targetOf } from '../store/names.js';
import { checkpointByCopy, finishRollback, forkByCopy, isRollingBack, readAt, rollbackByCopy, usesCopies } from './checkpoint-by-copy.js';
import { asOwner } from './copy-trees.js';
import { aboutOf, type Checkpoint, headOf, historyOf, isInterrupted, parentOf, readFrozen, readHistory } from './states.js';

/** A container that is held at rest, so that its uppers can be frozen, or exchanged. */
export interface Branching {
  readonly root: string;
  readonly record: ContainerRecord;
  readonly config: ContainerConfig;
  readonly views: readonly [WritableMount, ...WritableMount[]];
  /** What it stands on now, the latest first. */
  readonly frozen: readonly string[];
  /** Its states are copies, see by-copies.ts. */
  readonly copies: boolean;
}

/** Overlayfs takes 500 lowers; an image's own are among them. */
const DEEPEST = 400;

/**
 * Freezes what a container has written; the container continues above that. This takes a few renames by this process itself,
 * whatever the size; or a copy, where the layers of a container cannot be stacked.
 *
 * @throws EngineError `CONTAINER_RUNNING`, `CHECKPOINT_TOO_DEEP`, `NO_SPACE`
 */
export async function checkpoint({ root, record, views, frozen, copies }: Branching, message: string | undefined): Promise<Checkpoint> {
  if (copies) return checkpointByCopy(root, directoryOf(record), views, message);
  if (frozen.length >= DEEPEST)
    throw new EngineError({
      code: 'CHECKPOINT_TOO_DEEP',
      message: `the container ${record.id} stands on ${frozen.length} checkpoints`,
      hint: 'Make an image of it (lamella commit), and go on from there.',
    });
  const made: Checkpoint = { id: randomId(), created: new Date(), message, parent: frozen[0] };
  const { id, created, parent } = made;
  mkdirSync(stateDirectory(root, id), { recursive: true, mode: 0o700 });
  writeFileSync(aboutOf(root, id), JSON.stringify({ created, message }), { mode: 0o600 });
  if (parent !== undefined) symlinkSync(parent, parentOf(root, id));
  remember(directoryOf(record), id);
  // From here on it is made: the next process that looks does what is missing.
  head(directoryOf(record), id);
  await freeze(root, views, id);
  return made;
}

/**
 * What a container stands on, the latest first. What an interrupted checkpoint or rollback left to be done is done.
 */
export async function recoverCheckpoints(root: string, config: ContainerConfig): Promise<readonly string[]> {
  const record: ContainerRecord = { containers: path.join(root, 'containers'), id: config.id };
  const { frozen, views } = readLayerStack(root, record, config);
  if (!needsFreezing(root, frozen, views) && !isRollingBack(directoryOf(record))) return frozen;
  return withStopped(root, config, async (held) => held.frozen);
}

/**
 * Holds a container, which does not run, and does something to its uppers. All that is known of it is read with the
 * lock held.
 *
 * @throws EngineError `CONTAINER_RUNNING`
 */
export async function withStopped<Result>(root: string, config: ContainerConfig, work: (held: Branching) => Promise<Result>): Promise<Result> {
  const record: ContainerRecord = { containers: path.join(root, 'containers'), id: config.id };
  await using _held = await hold(record);
  const { frozen, views } = readLayerStack(root, record, config);
  const [last] = frozen;
  if (last !== undefined && needsFreezing(root, frozen, views)) await freeze(root, views, last);
  if (isRollingBack(directoryOf(record))) removeLater(await finishRollback(record));
  return await work({ root, record, config, frozen, views, copies: areCopied(root, config, frozen) });
}

/** Whether states of a container are copies. One that stands on something already goes on as it began. */
export function areCopied(root: string, { spec }: ContainerConfig, frozen: readonly string[]): boolean {
  return !frozen.length && usesCopies(root, spec);
}

/** The state that a container came from last; undefined for none. */
export function currentState(record: ContainerRecord, [last]: readonly string[]): string | undefined {
  return last ?? readAt(directoryOf(record));
}

/** What a container stands on, as it is written down. */
export function readLayerStack(root: string, record: ContainerRecord, config: ContainerConfig): Pick<Branching, 'frozen' | 'views'> {
  const { spec, lowers, ids } = config;
  const directory = directoryOf(record);
  const frozen = readFrozen(root, directory);
  return { frozen, views: writableMountsOf({ root, directory, spec, lowers, frozen, ids, sources: readSources(directory, config) }) };
}

/** Whether something came between a checkpoint and its end. */
function needsFreezing(root: string, [last]: readonly string[], views: readonly WritableMount[]): boolean {
  const uppers = views.map((view) => view.upperdir);
  return last !== undefined && isInterrupted(root, last, uppers);
}

/**
 * Lets a container go on from a checkpoint, without what came after it, which is removed by and by.
 *
 * @param to one of its history; undefined for its beginning
 * @returns what is to be removed, see {@link removeLater}
 */
export async function rollback({ root, record, config, views, copies }: Branching, to: string | undefined): Promise<ContainerRecord> {
  if (copies) return rollbackByCopy(root, record, views, to, (some, directory) => emptyUppers(some, directory, config.spec.host !== undefined));
  // A dead container: if nobody removes it now, a sweep does.
  const trash: ContainerRecord = { ...record, id: `${randomId()}-discarded` };
  mkdirSync(directoryOf(trash), { mode: 0o700 });
  for (const { upperdir } of views) await move(upperdir, path.join(directoryOf(trash), path.basename(upperdir)));
  head(directoryOf(record), to);
  for (const { upperdir, source } of views) {
    const name = path.basename(upperdir);
    await fresh(upperdir, [
      path.join(directoryOf(trash), name),
      ...(to === undefined ? [] : [path.join(stateDirectory(root, to), name)]),
      ...(source === undefined ? [] : [source]),
    ]);
  }
  return trash;
}

/** Makes uppers in which nothing was written, in a directory: each looks like what it stands for. */
async function emptyUppers(views: readonly WritableMount[], directory: string, isHost: boolean): Promise<void> {
  if (!views.length) return;
  const ops: Op[] = [];
  for (const { upperdir, source } of views) {
    const empty = path.join(directory, path.basename(upperdir));
    mkdirSync(empty, { mode: 0o755 });
    if (source === undefined) await fresh(empty, [upperdir]);
    else ops.push(...(isHost ? permitted(empty, source) : likeSource(empty, source)));
  }
  await run([...asOwner(), ...ops]);
}

/**
 * Removes what a rollback put aside, when nothing is held any more. The caller does not wait for it. A later sweep tries
 * again what fails here, and reports it.
 */
export function removeLater(trash: ContainerRecord): void {
  setImmediate(() => void removeWhenFree(trash).catch(() => undefined));
}

/** Tries a few more times while this process runs: another process that makes a container may hold the gate just then. */
async function removeWhenFree(trash: ContainerRecord): Promise<void> {
  for (let tries = 0; tries < 20 && (await releaseDead(trash)) === 'alive'; tries++) await sleep(50, undefined, { ref: false });
}

/**
 * Makes containers that go on from where one is, each by itself. What it has written since its last checkpoint is
 * frozen for that, and nothing is copied; or each gets a copy, where the layers of a container cannot be stacked.
 *
 * @param names of the new ones; undefined for one without
 * @throws EngineError `CONTAINER_EXISTS`, `NO_SPACE`
 */
export async function fork(held: Branching, names: readonly (string | undefined)[]): Promise<readonly ContainerConfig[]> {
  const { root, record, config, views, copies } = held;
  const last = copies || isUntouched(views) ? held.frozen[0] : (await checkpoint(held, 'fork')).id;
  const history = await readHistory(root, directoryOf(record));
  const { containers } = record;
  const created = new Date().toISOString();
  const sources = readSources(directoryOf(record), config);
  const configs = names.map((name): ContainerConfig => {
    const { name: _, ...spec } = config.spec;
    const { ids: __, ...same } = config;
    const id = randomId();
    const own = ownIds(spec.userns, id, root);
    // What it stands on was written in one way or the other.
    const ids = own && { uids: own.uids, gids: own.gids, idmapped: config.ids?.idmapped === true, ...(config.ids?.byFuse ? { byFuse: true as const } : {}) };
    return {
      ...same,
      id,
      ...(ids ? { ids } : {}),
      created,
      since: began(config, record).toISOString(),
      ...(sources.size ? { sources: Object.fromEntries(sources) } : {}),
      spec: { ...spec, ...(name === undefined ? {} : { name }), keep: true },
    };
  });
  const made: string[] = [];
  try {
    for (const each of configs) {
      const own: ContainerRecord = { containers, id: each.id };
      const directory = directoryOf(own);
      const write = (file: string, data: string): void => writeFileSync(file, data, { flag: 'wx', mode: 0o600 });
      mkdirSync(directory, { mode: 0o700 });
      made.push(directory);
      if (each.spec.name !== undefined) take(containers, each.spec.name, each.id);
      for (const at of rangeLinksOf(containers, each.spec.userns, each.ids)) link(targetOf(each.id), at, rangeTaken);
      write(lockOf(own), '');
      write(path.join(directory, 'config.json'), formatConfig(each));
      write(path.join(directory, 'layers'), layersOf(each));
      for (const { id } of history) remember(directory, id);
      if (last !== undefined) head(directory, last);
      if (copies) await forkByCopy(directoryOf(record), views, directory);
      else for (const { upperdir } of views) await fresh(path.join(directory, path.basename(upperdir)), [upperdir]);
      // With this file it stays: until then a sweep takes it away.
      write(keptOf(own), '');
    }
  } catch (error) {
    // All of them, or none.
    await runInUserNamespace(made.map((pathname) => ({ op: 'rmtree', dirfd: AT_FDCWD, pathname })));
    throw error;
  }
  return configs;
}

/** Whether it has written nothing since it was frozen last. */
function isUntouched(views: readonly WritableMount[]): boolean {
  return views.every(({ upperdir }) => isEmpty(upperdir));
}

/**
 * Holds a container, which does not run; and the gate, so that nobody takes what is being made for dead.
 *
 * @throws EngineError `CONTAINER_RUNNING`
 */
async function hold(record: ContainerRecord): Promise<AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  try {
    stack.use(await lockFile(gateOf(record.containers), { shared: true }));
    stack.use(await lockOfStopped(record));
    return stack;
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** How long another command may work on a stopped container while this one waits, in milliseconds. */
const PATIENCE = 20_000;

/** Takes the lock of a container that does not run. Another command may have it for a moment: two forks at once come one after the other. */
async function lockOfStopped(record: ContainerRecord): Promise<AsyncDisposable> {
  const { id } = record;
  const end = performance.now() + PATIENCE;
  for (;;) {
    const lock = await tryLockFile(lockOf(record), { create: false });
    if (lock) return lock;
    const state = await stateOf(record, undefined);
    if (state && isAlive(state.status))
      throw new EngineError({ code: 'CONTAINER_RUNNING', message: `the container ${id} is running`, hint: `lamella stop ${id}` });
    if (performance.now() > end)
      throw new EngineError({
        code: 'CONTAINER_RUNNING',
        message: `another command is working on the container ${id}`,
        hint: 'Wait for its end, and try again.',
      });
    await sleep(20);
  }
}

function take(containers: string, name: string, id: string): void {
  link(targetOf(id), nameLinkOf(containers, name), (error) => nameTaken(name, error));
}

function link(target: string, at: string, taken: (cause: unknown) => EngineError): void {
  try {
    symlinkSync(target, at);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? taken(error) : error;
  }
}

/** Records which state a container stands on, or that there is none. */
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

/** Records that a container can go back to a state. */
function remember(directory: string, id: string): void {
  mkdirSync(historyOf(directory), { recursive: true, mode: 0o700 });
  symlinkSync(id, path.join(historyOf(directory), id));
}

/** Move the uppers to a state, and make others; what of that is done already is left. */
async function freeze(root: string, views: readonly WritableMount[], id: string): Promise<void> {
  for (const { upperdir } of views) {
    const state = path.join(stateDirectory(root, id), path.basename(upperdir));
    // One that is there was frozen before the interruption, and what is new is new.
    if (!statSync(state, { throwIfNoEntry: false })) await move(upperdir, state);
    await fresh(upperdir, [state]);
  }
}

/**
 * Renames a directory, if it is there. A move changes its `..`, and needs the right to write to it: that of a container's root, if
 * the container has closed its root, or given it away.
 */
async function move(from: string, to: string): Promise<void> {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      ignoreMissing(error as NodeJS.ErrnoException);
      return;
    }
    await run([...asOwner(), { op: 'renameat2', olddirfd: AT_FDCWD, oldpath: from, newdirfd: AT_FDCWD, newpath: to, flags: 0 }]);
  }
}

/** Makes an empty upper whose top looks like another one's, because users see the top of it. */
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
    await runInUserNamespace([{ op: 'copy_object', olddirfd: AT_FDCWD, newdirfd: AT_FDCWD, flags: COPY.METADATA, oldpath: model, newpath: upperdir }]);
  }
}

function looksLike(a: Stats, b: Stats): boolean {
  return a.uid === b.uid && a.gid === b.gid && a.mode === b.mode;
}
