import { readdirSync } from 'node:fs';
import path from 'node:path';
import type { Seen } from '@lamella/syscall';
import { ignoreMissing } from '@lamella/syscall';
import type { Source } from '../../model/source.js';
import { readConfig } from '../../store/config-file.js';
import { differenceOf, linkIn, lookAt } from './identify-source.js';
import { noteSources, readSources } from './record-sources.js';

/** A source of a container, which an apply or its undo may replace with another object. */
export interface Followed {
  /** Id of the container. */
  readonly container: string;
  /** The path in the container's spec. */
  readonly asked: string;
  /** What it is until then. */
  readonly was: Source;
}

/**
 * Finds the sources of all containers that something is about to replace: a file that a container changed is another file after an apply. One
 * that is not as recorded is left out: it stays refused.
 *
 * @param root absolute path of the store
 * @param replaced absolute paths, as texts that stand for bytes
 */
export async function followedBy(root: string, replaced: readonly string[]): Promise<readonly Followed[]> {
  const paths = new Set(replaced);
  const containers = path.join(root, 'containers');
  const found: Followed[] = [];
  for (const container of paths.size ? names(containers) : []) {
    const directory = path.join(containers, container);
    const config = await readConfig(directory);
    if (!config) continue;
    for (const [asked, was] of readSources(directory, config)) if (isBelow(was.path, paths) && isUnchanged(was)) found.push({ container, asked, was });
  }
  return found;
}

/**
 * Records the objects that replaced sources, for all containers that have them. A record that exists already, or an object that the apply
 * did not put there, stays as it is, so this can be repeated after a crash.
 *
 * @param left what was put where, by absolute path
 */
export async function noteReplaced(root: string, followed: readonly Followed[], left: ReadonlyMap<string, Pick<Seen, 'ino'>>): Promise<void> {
  for (const { container, asked, was } of followed) {
    const directory = path.join(root, 'containers', container);
    const is = now(was);
    if (!is || is.identity.type !== was.identity.type || differenceOf(was, is) === undefined) continue;
    if (left.get(was.path)?.ino !== is.identity.inode) continue;
    const config = await readConfig(directory);
    if (!config) continue;
    const sources = readSources(directory, config);
    const recorded = sources.get(asked);
    if (recorded && differenceOf(recorded, was) === undefined) noteSources(directory, new Map([...sources, [asked, is]]));
  }
}

function names(directory: string): readonly string[] {
  try {
    return readdirSync(directory).filter((name) => !name.startsWith('.'));
  } catch (error) {
    ignoreMissing(error as NodeJS.ErrnoException);
    return [];
  }
}

function isUnchanged(was: Source): boolean {
  const is = now(was);
  return is !== undefined && differenceOf(was, is) === undefined;
}

/** What is there now, through no link. */
function now({ path: pathname }: Source): Source | undefined {
  if (linkIn(pathname) !== undefined) return undefined;
  try {
    return lookAt(pathname);
  } catch (error) {
    if (['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    return ignoreMissing(error as NodeJS.ErrnoException);
  }
}

/** Whether one of some paths is an object, or something above it. */
function isBelow(pathname: string, paths: ReadonlySet<string>): boolean {
  for (let at = pathname; at !== '/'; at = path.dirname(at)) if (paths.has(at)) return true;
  return false;
}
