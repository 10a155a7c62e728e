import { existsSync, readlinkSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { gateOf } from '@lamella/cleanup';
import { AT_FDCWD, ignoreMissing, type Op, runInUserNamespace, tryLockFile } from '@lamella/syscall';
import { stateDirectory } from '../filesystem/writable-mounts.js';

/** A chain with more is squashed: each state is a layer in which every name is looked up. */
export const LONG = 32;

/** A state of a container that was frozen: what it had written by then. */
export interface Checkpoint {
  readonly id: string;
  readonly created: Date;
  readonly message: string | undefined;
  /** The one before it; undefined for the first. */
  readonly parent: string | undefined;
}

/**
 * Where states are. What matters of them is in names and symbolic links, which the filesystem's journal keeps in
 * order: a checkpoint has to wait for no disk, and a power cut finds it whole or not made.
 *
 * - `frozen/ID/upper`, `upper.1`, …: the uppers; `parent`: a link to the id of the one before; `about`: the rest;
 *   of one that replaced several (squash.ts): `squashed`, a link to the id of the newest of them;
 * - `containers/ID/frozen`: a link to the id of the last one that the container stands on;
 * - `containers/ID/history/ID`: those that it can go back to.
 */
export const headOf = (directory: string): string => path.join(directory, 'frozen');
export const historyOf = (directory: string): string => path.join(directory, 'history');
export const parentOf = (root: string, id: string): string => path.join(stateDirectory(root, id), 'parent');
/** What the directory of a state that is being squashed begins with. */
export const SQUASHING = '.squash-';
export const aboutOf = (root: string, id: string): string => path.join(stateDirectory(root, id), 'about');

/** Every checkpoint that a container can go back to, the oldest first; those before a fork, too. */
export async function readHistory(root: string, directory: string): Promise<readonly Checkpoint[]> {
  const ids = (await readdir(historyOf(directory)).catch(ignoreMissing)) ?? [];
  const found = await Promise.all(
    ids.map(async (id): Promise<Checkpoint | undefined> => {
      const [about, made] = await Promise.all([readFile(aboutOf(root, id), 'utf8').catch(ignoreMissing), stat(stateDirectory(root, id)).catch(ignoreMissing)]);
      // Its making was interrupted before it counted.
      if (!made) return undefined;
      const { created, message } = parse(about);
      return { id, created: created === undefined ? made.birthtime : new Date(created), message, parent: wasOf(root, readParent(root, id)) };
    }),
  );
  return found
    .filter((each) => each !== undefined)
    .sort((a, b) => a.created.getTime() - b.created.getTime() || (a.id === b.parent ? -1 : b.id === a.parent ? 1 : 0));
}

/** What a power cut tore is a comment only. */
function parse(text: string | undefined): { readonly created?: string; readonly message?: string } {
  try {
    return text ? (JSON.parse(text) as { created?: string; message?: string }) : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/** What a container stands on, the latest first; most stand on nothing but their image. */
export function readFrozen(root: string, directory: string): readonly string[] {
  const chain: string[] = [];
  // At once: each takes a microsecond, and a trip to the thread pool twenty times that.
  for (let id = target(headOf(directory)); id !== undefined; id = target(parentOf(root, id))) chain.push(id);
  return chain;
}

/** The state that one stands on. */
export function readParent(root: string, id: string): string | undefined {
  return target(parentOf(root, id));
}

/** What a squashed state stands for; any other for itself. */
function wasOf(root: string, id: string | undefined): string | undefined {
  return id === undefined ? undefined : (target(path.join(stateDirectory(root, id), 'squashed')) ?? id);
}

/** What a link says; undefined when there is none. */
function target(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch (error) {
    return ignoreMissing(error as NodeJS.ErrnoException);
  }
}

/**
 * Removes the states that no container can go back to any more. A process that makes or freezes one holds the
 * gate; then the states are left for the next time.
 */
export async function collectStates(root: string): Promise<void> {
  const all = (await readdir(path.join(root, 'frozen')).catch(ignoreMissing)) ?? [];
  if (!all.length) return;
  const containers = path.join(root, 'containers');
  // While the gate is held no process makes or freezes a state: a state that is unused stays unused.
  await using gate = await tryLockFile(gateOf(containers));
  if (!gate) return;
  const unused = async (): Promise<string[]> => {
    const ids = ((await readdir(containers).catch(ignoreMissing)) ?? []).filter((name) => !name.startsWith('.'));
    const used = new Set(
      await Promise.all(
        ids.map(async (id) => {
          const directory = path.join(containers, id);
          return [...readFrozen(root, directory), ...((await readdir(historyOf(directory)).catch(ignoreMissing)) ?? [])];
        }),
      ).then((lists) => lists.flat()),
    );
    for (const id of [...used]) for (let each = target(parentOf(root, id)); each !== undefined; each = target(parentOf(root, each))) used.add(each);
    return all.filter((id) => !used.has(id) && !id.startsWith(SQUASHING));
  };
  const dead = await unused();
  for (const name of all) if (name.startsWith(SQUASHING) && (await isAbandoned(stateDirectory(root, name)))) dead.push(name);
  if (dead.length) await runInUserNamespace(dead.map((id): Op => ({ op: 'rmtree', dirfd: AT_FDCWD, pathname: stateDirectory(root, id) })));
}

/** Whether who squashed was killed on the way. */
async function isAbandoned(staged: string): Promise<boolean> {
  await using lock = await tryLockFile(path.join(staged, 'lock'), { create: false }).catch(ignoreMissing);
  return lock !== undefined || !existsSync(path.join(staged, 'lock'));
}

/** Whether the making of a state was interrupted: an upper was not yet moved to it, or a new upper is missing. */
export function isInterrupted(root: string, id: string, uppers: readonly string[]): boolean {
  return uppers.some((upper) => !existsSync(upper) || !existsSync(path.join(stateDirectory(root, id), path.basename(upper))));
}
