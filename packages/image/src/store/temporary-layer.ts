import { randomUUID } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { AT_FDCWD, type HeldLock, lockFile, type Op, RENAME, runInUserNamespace, tryLockFile } from '@lamella/syscall';
import { entriesOf } from './entries-of.js';
import type { StorePaths } from './store-paths.js';

const PREFIX = '.unpacking-';

/** A directory in which a layer is being made; its lock is held as long as that goes on. */
export interface TemporaryLayer extends AsyncDisposable {
  readonly directory: string;
  readonly tree: string;
  readonly blob: string;
  /** For what has to be written before it can be read. */
  readonly spool: string;
}

/** Makes one. Disposing removes what is left of it; `sweep` does when this process was killed. */
export async function temporaryLayer(paths: StorePaths): Promise<TemporaryLayer> {
  const name = `${PREFIX}${randomUUID()}`;
  // The lock comes first and goes last: a directory without a held lock is a dead one.
  const lock: HeldLock = await lockFile(paths.lock(name));
  const directory = path.join(paths.layers, name);
  const tree = path.join(directory, 'fs');
  try {
    await mkdir(tree, { recursive: true, mode: 0o755 });
  } catch (error) {
    await using _last = lock;
    await removeTree(directory);
    await rm(lock.path, { force: true });
    throw error;
  }
  return {
    directory,
    tree,
    blob: path.join(directory, 'blob'),
    spool: path.join(directory, 'spool'),
    async [Symbol.asyncDispose]() {
      // What cannot be removed now a sweep has to find without its lock.
      await using _last = lock;
      await removeUnheld(directory);
      await rm(lock.path, { force: true });
    },
  };
}

/** Removes those whose makers are gone, and what a killed writer of a file left beside it. */
export async function sweepTemporary(paths: StorePaths): Promise<number> {
  let removed = 0;
  for (const name of await deadTemporaries(paths)) {
    // The lock comes first and goes last: without it nobody is there, and on a full disk none could be made.
    const lock = await tryLockFile(paths.lock(name), { create: false }).catch(absentLock);
    if (lock === undefined) continue;
    try {
      if (await removeUnheld(path.join(paths.layers, name))) removed++;
      await rm(paths.lock(name), { force: true, recursive: true });
    } finally {
      if (lock !== 'absent') await lock[Symbol.asyncDispose]();
    }
  }
  return removed + (await sweepFiles(paths));
}

/** Tells a lock that does not exist from one that another process holds. */
function absentLock(error: { readonly code?: string }): 'absent' {
  if (['ENOENT', 'ENOTDIR', 'ENXIO', 'ELOOP'].includes(error.code ?? '')) return 'absent';
  throw error;
}

/** Directories that are being made, or whose makers are gone, and the locks of those that were not made yet. */
export async function deadTemporaries(paths: StorePaths): Promise<string[]> {
  const names = [...(await entriesOf(paths.layers)), ...(await entriesOf(paths.locks))];
  return [...new Set(names.filter((each) => each.startsWith(PREFIX)))];
}

/** Files that were being written ({@link writeDurably}), which is done only under the index lock. */
export async function unfinishedFiles(paths: StorePaths): Promise<string[]> {
  const found: string[] = [];
  for (const directory of [paths.root, paths.images, paths.blobs, paths.imports])
    for (const name of await entriesOf(directory)) if (UNFINISHED.test(name)) found.push(path.join(directory, name));
  for (const layer of await entriesOf(paths.layers)) {
    if (layer.startsWith('.')) continue;
    for (const name of await entriesOf(path.join(paths.layers, layer))) if (UNFINISHED.test(name)) found.push(path.join(paths.layers, layer, name));
  }
  return found;
}

/** What {@link writeDurably} calls them, and spools of before. */
const UNFINISHED = /^\..+\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$|^\.load-[0-9a-f-]{36}(?:\.plain)?$/;

async function sweepFiles(paths: StorePaths): Promise<number> {
  if (!(await unfinishedFiles(paths)).length) return 0;
  await using lock = await tryLockFile(paths.lock('index'));
  if (!lock) return 0;
  const dead = await unfinishedFiles(paths);
  for (const file of dead) await rm(file, { force: true, recursive: true });
  return dead.length;
}

/**
 * Replaces a directory by a finished one. That is never missing meanwhile; afterwards it is what `directory` names, and goes
 * with it unless a container still stands on it.
 */
export async function putTree(directory: string, target: string): Promise<void> {
  const there = lstatSync(target, { throwIfNoEntry: false });
  if (!there?.isDirectory()) {
    if (there) await rm(target);
    await rename(directory, target);
    return;
  }
  const exchange: Op = {
    op: 'renameat2',
    olddirfd: AT_FDCWD,
    oldpath: directory,
    newdirfd: AT_FDCWD,
    newpath: target,
    flags: RENAME.EXCHANGE,
    ignore: ['EINVAL', 'ENOSYS'],
  };
  const { ignored } = await runInUserNamespace([exchange]);
  if (!ignored.length) return;
  // Not every filesystem can exchange. What is moved away a sweep finds.
  const aside = path.join(path.dirname(directory), `${PREFIX}${randomUUID()}`);
  await rename(target, aside);
  await rename(directory, target);
  await removeUnheld(aside);
}

/** Whether a container stands on a tree of the store, or a process makes an image of it. */
export async function isTreeHeld(directory: string): Promise<boolean> {
  const lock = await tryLockFile(path.join(directory, 'meta.json'), { create: false }).catch(absentLock);
  if (lock !== undefined && lock !== 'absent') await lock[Symbol.asyncDispose]();
  return lock === undefined;
}

/** Removes a directory of the store, if nobody holds the `meta.json` in it. @returns false if a process holds it */
export async function removeUnheld(directory: string): Promise<boolean> {
  // Mostly it became something else by a rename, and nobody needs to be started for it.
  if (lstatSync(directory, { throwIfNoEntry: false }) === undefined) return true;
  // A damaged store may have anything there; what cannot be opened holds nobody.
  const lock = await tryLockFile(path.join(directory, 'meta.json'), { create: false }).catch(absentLock);
  if (!lock) return false;
  try {
    await removeTree(directory);
  } finally {
    if (lock !== 'absent') await lock[Symbol.asyncDispose]();
  }
  return true;
}

/** Removes a tree whatever is in it: names of any bytes, directories without permissions. */
export async function removeTree(directory: string): Promise<void> {
  const there = lstatSync(directory, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (!there.isDirectory()) {
    await rm(directory, { force: true });
    return;
  }
  const remove: Op = { op: 'rmtree', dirfd: AT_FDCWD, pathname: directory };
  await runInUserNamespace([remove]);
}
