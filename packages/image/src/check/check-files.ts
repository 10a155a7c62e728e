import { lstatSync, type Stats } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { kindOf, lockFile, tryLockFile } from '@lamella/syscall';
import { entriesOf } from '../store/entries-of.js';
import { makeDirectory } from '../store/make-directory.js';
import type { StorePaths } from '../store/store-paths.js';
import { textOfStored } from '../store/stored-file.js';
import { deadTemporaries, isTreeHeld, removeTree, sweepTemporary, unfinishedFiles } from '../store/temporary-layer.js';
import { isRecord } from '../transfer/import-archive.js';
import type { Problems } from './problems.js';

const HEX = /^[0-9a-f]{64}$/;

/**
 * Looks at what a store has beside its images: its directories, its locks, the records of imports, and what commands left that were killed.
 * With `repair` directories are made, and records, which only save time, go.
 *
 * @returns false when its locks or directories cannot be used: then nothing else can be looked at
 */
export async function checkFiles(paths: StorePaths, problems: Problems, repair: boolean): Promise<boolean> {
  for (const directory of [paths.images, path.dirname(paths.blobs), paths.blobs, paths.layers, paths.imports, paths.locks])
    await checkDirectory(directory, problems, { repair, needed: true });
  for (const directory of [paths.chains, paths.rebased, paths.containers]) await checkDirectory(directory, problems, { repair, needed: false });
  for (const name of await entriesOf(paths.locks)) {
    const file = paths.lock(name);
    const stat = lstatSync(file, { throwIfNoEntry: false });
    if (!stat || stat.isFile()) continue;
    if (repair) await removeTree(file);
    problems.add({ kind: 'store', what: file, problem: `it is ${kindOf(stat)}, not a lock`, ...(repair ? { repaired: 'removed' } : {}) });
  }
  if (problems.all.some(({ repaired }) => repaired === undefined)) return false;
  for (const name of await entriesOf(paths.imports)) {
    if (name.startsWith('.')) continue;
    const file = path.join(paths.imports, name);
    const text = textOfStored(file);
    if (text !== undefined && isRecord(text)) continue;
    if (repair) {
      await using _index = await lockFile(paths.lock('index'));
      await removeTree(file);
    }
    problems.add({
      kind: 'store',
      what: file,
      problem: 'this record of an import is damaged',
      ...(repair ? { repaired: 'removed: the archive is unpacked again when it is imported' } : {}),
    });
  }
  await checkStrangers(paths, problems);
  await checkLeftovers(paths, problems, repair);
  return true;
}

async function checkDirectory(
  directory: string,
  problems: Problems,
  { repair, needed }: { readonly repair: boolean; readonly needed: boolean },
): Promise<void> {
  const stat = lookAt(directory);
  if (stat?.isDirectory() || (!stat && !needed)) return;
  // A link that an administrator made leads to a directory, perhaps of another disk.
  if (stat?.isSymbolicLink() && isDirectoryBehind(directory)) return;
  if (repair) {
    if (stat) await rm(directory);
    makeDirectory(directory);
  }
  problems.add({
    kind: 'store',
    what: directory,
    problem: stat ? `it is ${kindOf(stat)}, not a directory` : 'it is missing',
    ...(repair ? { repaired: 'made anew' } : {}),
  });
}

/** Returns nothing if a parent is not a directory. */
function lookAt(directory: string): Stats | undefined {
  try {
    return lstatSync(directory, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function isDirectoryBehind(link: string): boolean {
  return lookAt(`${link}/.`)?.isDirectory() ?? false;
}

/** Reports files that Lamella did not create, and leaves them alone. */
async function checkStrangers(paths: StorePaths, problems: Problems): Promise<void> {
  for (const directory of [paths.blobs, paths.layers, paths.chains, paths.rebased])
    for (const name of await entriesOf(directory)) {
      const file = path.join(directory, name);
      if (name.startsWith('.')) continue;
      const stat = lstatSync(file, { throwIfNoEntry: false });
      if (!stat) continue;
      const fits = directory === paths.blobs ? stat.isFile() : stat.isDirectory();
      if (!HEX.test(name)) problems.add({ kind: 'store', what: file, problem: 'it does not belong to the store', hint: 'Move it elsewhere, or remove it.' });
      else if (!fits && directory !== paths.blobs) problems.add({ kind: 'store', what: file, problem: `it is ${kindOf(stat)}, not a directory` });
    }
}

async function checkLeftovers(paths: StorePaths, problems: Problems, repair: boolean): Promise<void> {
  const dead: string[] = [];
  for (const name of await deadTemporaries(paths)) {
    const directory = path.join(paths.layers, name);
    if (lstatSync(paths.lock(name), { throwIfNoEntry: false })) {
      const lock = await tryLockFile(paths.lock(name));
      if (!lock) continue;
      await lock[Symbol.asyncDispose]();
    }
    // A tree that was replaced under a container stays until that ends.
    if (!(await isTreeHeld(directory))) dead.push(directory);
  }
  const writers = await tryLockFile(paths.lock('index'));
  if (writers) {
    await writers[Symbol.asyncDispose]();
    dead.push(...(await unfinishedFiles(paths)));
  }
  if (!dead.length) return;
  if (repair) await sweepTemporary(paths);
  for (const what of dead) problems.add({ kind: 'leftover', what, problem: 'a command that was killed left it', ...(repair ? { repaired: 'removed' } : {}) });
}
