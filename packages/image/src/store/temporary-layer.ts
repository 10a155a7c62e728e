import { randomUUID } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { AT_FDCWD, type HeldLock, lockFile, type Op, runMapped, tryLockFile } from '@lamella/syscall';
import { entriesOf } from './entries-of.js';
import type { StorePaths } from './store-paths.js';

const PREFIX = '.unpacking-';

/** A directory in which a layer is being made; the lock tells others that somebody still is. */
export interface TemporaryLayer extends AsyncDisposable {
  readonly directory: string;
  readonly tree: string;
  readonly blob: string;
}

/** Make one. Disposing removes what is left of it; `sweep` does when this process was killed. */
export async function temporaryLayer(paths: StorePaths): Promise<TemporaryLayer> {
  const name = `${PREFIX}${randomUUID()}`;
  // The lock comes first and goes last: a directory without a held lock is a dead one.
  const lock: HeldLock = await lockFile(paths.lock(name));
  const directory = path.join(paths.layers, name);
  const tree = path.join(directory, 'fs');
  await mkdir(tree, { recursive: true, mode: 0o755 });
  return {
    directory,
    tree,
    blob: path.join(directory, 'blob'),
    async [Symbol.asyncDispose]() {
      // What cannot be removed now a sweep has to find without its lock.
      await using _last = lock;
      await removeTree(directory);
      await rm(lock.path, { force: true });
    },
  };
}

/** Remove those whose makers are gone. */
export async function sweepTemporary(paths: StorePaths): Promise<number> {
  let removed = 0;
  const names = await entriesOf(paths.layers);
  for (const name of names.filter((each) => each.startsWith(PREFIX))) {
    await using lock = await tryLockFile(paths.lock(name));
    if (!lock) continue;
    await removeTree(path.join(paths.layers, name));
    await rm(lock.path, { force: true });
    removed++;
  }
  return removed;
}

/** Remove a tree whatever is in it: names of any bytes, directories without permissions. */
export async function removeTree(directory: string): Promise<void> {
  // Mostly it became something else by a rename, and nobody needs to be started for it.
  if (lstatSync(directory, { throwIfNoEntry: false }) === undefined) return;
  const remove: Op = { op: 'rmtree', dirfd: AT_FDCWD, pathname: directory };
  await runMapped([remove]);
}
