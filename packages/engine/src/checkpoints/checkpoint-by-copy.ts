import { existsSync, mkdirSync, readdirSync, readlinkSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type ContainerRecord, directoryOf } from '@lamella/cleanup';
import { AT_FDCWD, ignoreMissing, lockFile, type MountPoint, type Op, readMounts, run, runInUserNamespace } from '@lamella/syscall';
import { overlayVolumes, stateDirectory } from '../filesystem/writable-mounts.js';
import type { RunSpec } from '../model/run-spec.js';
import type { WritableMount } from '../model/writable-mount.js';
import { randomId } from '../store/identifiers.js';
import { asOwner, copyTrees } from './copy-trees.js';
import { aboutOf, type Checkpoint, historyOf, parentOf, SQUASHING } from './states.js';

/**
 * States of containers whose layers cannot be stacked: a layer of overlayfs must not lie below another one, and a view of the host
 * (`lamella try`), or of a directory that the store is in, has the store below it. There a state is a whole copy of what was written, and
 * the container stands on none.
 *
 * - `containers/ID/at`: a link to the id of the state that its uppers were last copied to, or from;
 * - `containers/ID/next/`: what a rollback replaces the uppers with, complete; `at` in it as above. With this directory there the
 *   rollback is finished by the next command that looks.
 */
const atOf = (directory: string): string => path.join(directory, 'at');
const nextOf = (directory: string): string => path.join(directory, 'next');

/** Whether states of a container are copies. @param root absolute path of the store */
export function usesCopies(root: string, spec: Pick<RunSpec, 'host' | 'volumes'>): boolean {
  if (spec.host) return true;
  const volumes = overlayVolumes(spec);
  if (!volumes.length) return false;
  const mounts = readMounts();
  const store = placeOf(realpathSync.native(root), mounts);
  return volumes.some(({ source }) => {
    const real = realIfThere(source);
    return real !== undefined && holds(placeOf(real, mounts), store);
  });
}

/** Where something is in its filesystem, however that is mounted. */
interface Place {
  readonly device: string;
  readonly path: string;
}

function placeOf(real: string, mounts: readonly MountPoint[]): Place {
  const mount = mounts.findLast(({ point }) => isWithin(real, point));
  return { device: mount?.device ?? '', path: path.join(mount?.root ?? '/', path.relative(mount?.point ?? '/', real)) };
}

function holds(directory: Place, other: Place): boolean {
  return directory.device === other.device && isWithin(other.path, directory.path);
}

function isWithin(point: string, directory: string): boolean {
  return point === directory || directory === '/' || point.startsWith(`${directory}/`);
}

function realIfThere(file: string): string | undefined {
  try {
    return realpathSync.native(file);
  } catch (error) {
    return ignoreMissing(error as NodeJS.ErrnoException);
  }
}

/** Which state a container came from, or went to, last. */
export function readAt(directory: string): string | undefined {
  try {
    return readlinkSync(atOf(directory));
  } catch (error) {
    return ignoreMissing(error as NodeJS.ErrnoException);
  }
}

/** Copies what a container has written to a new state. The container itself is not touched. */
export async function checkpointByCopy(root: string, directory: string, views: readonly WritableMount[], message: string | undefined): Promise<Checkpoint> {
  const made: Checkpoint = { id: randomId(), created: new Date(), message, parent: readAt(directory) };
  const { id, created, parent } = made;
  const staged = path.join(root, 'frozen', `${SQUASHING}${id}`);
  mkdirSync(staged, { recursive: true, mode: 0o700 });
  await using _lock = await lockFile(path.join(staged, 'lock'));
  try {
    writeFileSync(aboutOf(root, `${SQUASHING}${id}`), JSON.stringify({ created, message }), { mode: 0o600 });
    if (parent !== undefined) symlinkSync(parent, parentOf(root, `${SQUASHING}${id}`));
    await copyTrees(uppersTo(views, staged));
    rmSync(path.join(staged, 'lock'));
    renameSync(staged, stateDirectory(root, id));
  } catch (error) {
    await removeTrees([staged]);
    throw error;
  }
  mkdirSync(historyOf(directory), { recursive: true, mode: 0o700 });
  symlinkSync(id, path.join(historyOf(directory), id));
  pointTo(atOf(directory), id);
  return made;
}

/** Pairs of each upper that is there and its copy in a directory. */
function uppersTo(views: readonly WritableMount[], directory: string): (readonly [string, string])[] {
  return views.flatMap(({ upperdir }) => (existsSync(upperdir) ? [[upperdir, path.join(directory, path.basename(upperdir))] as const] : []));
}

/** Gives a new container copies of what another one has written, and of what was put together for its views. */
export async function forkByCopy(from: string, views: readonly WritableMount[], to: string): Promise<void> {
  const own = new Set(views.flatMap(({ lowerdirs }) => lowerdirs.filter((each) => each.startsWith(`${from}/`))));
  // A part of one that is copied comes with that.
  const tops = [...own].filter((each) => existsSync(each) && ![...own].some((other) => each.startsWith(`${other}/`)));
  await copyTrees([...uppersTo(views, to), ...tops.map((each) => [each, path.join(to, path.relative(from, each))] as const)]);
  const at = readAt(from);
  if (at !== undefined) pointTo(atOf(to), at);
}

/**
 * Replaces what a container has written with copies of a state.
 *
 * @param to undefined for its beginning
 * @param empty makes the uppers of some views in which nothing was written, in a directory
 * @returns a dead container with what was there before
 */
export async function rollbackByCopy(
  root: string,
  record: ContainerRecord,
  views: readonly WritableMount[],
  to: string | undefined,
  empty: (views: readonly WritableMount[], directory: string) => Promise<void>,
): Promise<ContainerRecord> {
  const directory = directoryOf(record);
  const staged = `${nextOf(directory)}.staged`;
  await removeTrees([staged]);
  mkdirSync(staged, { mode: 0o700 });
  try {
    if (to === undefined) await empty(views, staged);
    else {
      const names = readdirSync(stateDirectory(root, to)).filter((name) => name.startsWith('upper'));
      await copyTrees(names.map((name) => [path.join(stateDirectory(root, to), name), path.join(staged, name)] as const));
      // A view that came after the checkpoint had nothing in it then.
      const isCopied = new Set(names);
      await empty(
        views.filter(({ upperdir }) => !isCopied.has(path.basename(upperdir))),
        staged,
      );
      symlinkSync(to, path.join(staged, 'at'));
    }
    renameSync(staged, nextOf(directory));
  } catch (error) {
    await removeTrees([staged]);
    throw error;
  }
  return finishRollback(record);
}

/** Whether a rollback was interrupted. */
export function isRollingBack(directory: string): boolean {
  return existsSync(nextOf(directory));
}

/** Takes the steps of a rollback that are left. An upper whose successor waits is the old one. @returns as {@link rollbackByCopy} */
export async function finishRollback(record: ContainerRecord): Promise<ContainerRecord> {
  const directory = directoryOf(record);
  const next = nextOf(directory);
  const trash: ContainerRecord = { ...record, id: `${randomId()}-discarded` };
  mkdirSync(directoryOf(trash), { mode: 0o700 });
  const names = readdirSync(next).filter((name) => name.startsWith('upper'));
  const ops = names.flatMap((name): Op[] => {
    const upperdir = path.join(directory, name);
    return [renamed(upperdir, path.join(directoryOf(trash), name), ['ENOENT']), renamed(path.join(next, name), upperdir)];
  });
  await run([...asOwner(), ...ops]);
  const to = readlinkIn(next);
  if (to === undefined) rmSync(atOf(directory), { force: true });
  else pointTo(atOf(directory), to);
  // In one step, `at` included: while this directory is there the rollback is under way, and where it leads to must be known.
  await run([...asOwner(), renamed(next, path.join(directoryOf(trash), 'next'))]);
  return trash;
}

function renamed(oldpath: string, newpath: string, ignore: readonly string[] = []): Op {
  return { op: 'renameat2', olddirfd: AT_FDCWD, oldpath, newdirfd: AT_FDCWD, newpath, flags: 0, ignore };
}

function readlinkIn(next: string): string | undefined {
  try {
    return readlinkSync(path.join(next, 'at'));
  } catch (error) {
    return ignoreMissing(error as NodeJS.ErrnoException);
  }
}

function pointTo(link: string, id: string): void {
  rmSync(`${link}.next`, { force: true });
  symlinkSync(id, `${link}.next`);
  renameSync(`${link}.next`, link);
}

async function removeTrees(directories: readonly string[]): Promise<void> {
  await runInUserNamespace(directories.map((pathname): Op => ({ op: 'rmtree', dirfd: AT_FDCWD, pathname })));
}
