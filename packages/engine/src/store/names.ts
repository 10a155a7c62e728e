import { lstatSync } from 'node:fs';
import { readdir, readlink, symlink, unlink } from 'node:fs/promises';
import path from 'node:path';
import { ignoreMissing, lockFile } from '@lamella/syscall';
import type { ContainerConfig } from '../model/container-config.js';
import { EngineError } from '../model/engine-error.js';
import { givenNames, givenNamesOf, idsOfGiven, removeGiven } from './generated-names.js';

/**
 * Names of containers are symbolic links in `containers/.names`, because the kernel gives each to one
 * only. A link to a container that is gone is free. Links that begin with @ are ranges of ids rather than names, and
 * the same holds for them.
 */
export function nameLinkOf(containers: string, name: string): string {
  return path.join(containers, '.names', name);
}

/** Every name of a container that is there, by the container's id. */
export async function namesById(containers: string): Promise<Map<string, string>> {
  const ids = new Set(await entries(containers));
  const names = new Map<string, string>();
  const links = (await entries(path.join(containers, '.names'))).filter((name) => !/^[.@]/.test(name));
  for (const name of [...(await givenNames(containers)), ...links]) {
    const id = await idOf(containers, name);
    if (id !== undefined && ids.has(id)) names.set(id, name);
  }
  return names;
}

/** The config of a container by its name of today: links have it, and `config.json` that of its first day. */
export function withName(config: ContainerConfig, name: string | undefined): ContainerConfig {
  const { name: before, ...spec } = config.spec;
  return before === name ? config : { ...config, spec: { ...spec, ...(name === undefined ? {} : { name }) } };
}

/** Whether nobody has a name, also none that is gone. */
export function isFreeName(containers: string, name: string): boolean {
  return lstatSync(nameLinkOf(containers, name), { throwIfNoEntry: false }) === undefined;
}

/** @throws EngineError `CONTAINER_EXISTS` for a name that was given to a container */
export function checkNotGiven(containers: string, name: string): void {
  if (lstatSync(path.join(givenNamesOf(containers), name), { throwIfNoEntry: false })) throw nameTaken(name, undefined);
}

/** The id a name stands for. */
export async function idOf(containers: string, name: string): Promise<string | undefined> {
  const target = await readlink(nameLinkOf(containers, name)).catch(ignoreMissing);
  return target === undefined ? (await idsOfGiven(containers, name))[0] : path.basename(target);
}

/** Removes names whose containers are gone; one after the other, so that none takes what was just given anew. */
export async function forgetDeadNames(containers: string): Promise<void> {
  await forgetDeadGiven(containers);
  const directory = path.join(containers, '.names');
  const dead = async (): Promise<string[]> => {
    const names = (await entries(directory)).filter((name) => !name.startsWith('.'));
    if (!names.length) return [];
    const ids = new Set(await entries(containers));
    const found = await Promise.all(names.map(async (name) => (ids.has((await idOf(containers, name)) ?? '') ? undefined : name)));
    return found.filter((name) => name !== undefined);
  };
  if (!(await dead()).length) return;
  await using _names = await lockFile(path.join(directory, '.lock'));
  for (const name of await dead()) await unlink(path.join(directory, name)).catch(ignoreMissing);
}

/** The same of names that were given: nobody takes one of these for a container that is not there yet. */
async function forgetDeadGiven(containers: string): Promise<void> {
  const names = await givenNames(containers);
  if (!names.length) return;
  // The names before the containers: a container is there before its name.
  const owners = await Promise.all(names.map(async (name) => ({ name, ids: await idsOfGiven(containers, name) })));
  const ids = new Set(await entries(containers));
  for (const { name, ids: own } of owners) for (const id of own) if (!ids.has(id)) await removeGiven(containers, name, id);
}

async function entries(directory: string): Promise<readonly string[]> {
  return (await readdir(directory).catch(ignoreMissing)) ?? [];
}

/** Gives a container a name, or another. @throws EngineError `CONTAINER_EXISTS` */
export async function takeName(containers: string, name: string, id: string): Promise<void> {
  await forgetDeadNames(containers);
  checkNotGiven(containers, name);
  await symlink(targetOf(id), nameLinkOf(containers, name)).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EEXIST' ? nameTaken(name, error) : error;
  });
}

/** What the link of a name holds. */
export function targetOf(id: string): string {
  return path.join('..', id);
}

export function nameTaken(name: string, cause: unknown): EngineError {
  return new EngineError({
    code: 'CONTAINER_EXISTS',
    message: `there is a container '${name}' already`,
    hint: `Take another name, or remove it: lamella rm ${name}`,
    cause,
  });
}
