import { existsSync, lstatSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type ContainerRecord, directoryOf } from '@lamella/cleanup';
import { ignoreMissing, slotAllocator } from '@lamella/syscall';
import { isEmpty } from '../../../filesystem/sources/unchanged-overlays.js';
import type { ContainerConfig } from '../../../model/container-config.js';
import type { WritableMount } from '../../../model/writable-mount.js';
import { type Fingerprint, fingerprintOf, isDirectoryMode } from '../inspect/fingerprint.js';
import { KnownObjects } from '../inspect/known-objects.js';
import type { Names } from '../inspect/names-by-path.js';
import type { Place } from '../inspect/parent-directories.js';
import { Directories } from '../inspect/same-directory.js';
import { Session } from '../inspect/session.js';
import { objectsOf } from '../program/targets.js';
import { began } from './start-time.js';

/** Directories of the host that a container wrote in, as they were at the end of a life of it, by the source of the view. */
export type SeenPlaces = readonly { readonly source: string; readonly places: Names<Fingerprint> }[];

const fileOf = (record: ContainerRecord): string => path.join(directoryOf(record), 'seen-places');

/** Reads what was noted. Nothing is where nobody noted it: then times decide. */
export async function readSeenPlaces(record: ContainerRecord): Promise<SeenPlaces> {
  const text = await readFile(fileOf(record), 'utf8').catch(ignoreMissing);
  try {
    return text === undefined ? [] : (JSON.parse(text) as SeenPlaces);
  } catch (error) {
    // It is not waited for the disk: the power may have gone.
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

/**
 * Notes which directories of the host a container wrote in, when a life of it has ended. For ordinary users overlayfs does not note which
 * they are, so that later only times could tell whether one is another, and these are in doubt as soon as names change there. What is in doubt
 * already is not noted.
 */
export async function noteSeenPlaces(
  record: ContainerRecord,
  config: Pick<ContainerConfig, 'since' | 'created'>,
  views: readonly WritableMount[],
): Promise<void> {
  const written = views.filter(({ source, upperdir }) => source !== undefined && existsSync(upperdir) && !isEmpty(upperdir));
  if (!written.length) return;
  const since = began(config, record);
  const earlier = new Map((await readSeenPlaces(record)).map(({ source, places }) => [source, places]));
  await using session = await Session.open();
  for (const { source = '/', upperdir } of written) {
    const names = writtenIn(upperdir, source);
    const uppers = await objectsOf(session, slotAllocator(), { source: upperdir }, names);
    const lowers = await objectsOf(session, slotAllocator(), { source }, ['', ...names]);
    const places = new Map<string, Place>([['', { lower: lowers.get(''), upper: undefined }]]);
    for (const [name, upper] of uppers) if (isDirectoryMode(upper.mode)) places.set(name, { lower: lowers.get(name), upper });
    const directories = new Directories(places, since, new KnownObjects([], source));
    const noted = new Map(earlier.get(source));
    for (const [name, { lower }] of places) {
      if (name === '' || !lower || !isDirectoryMode(lower.mode) || noted.has(name)) continue;
      if (directories.itself(name) === 'same' && directories.above(name) === 'same') noted.set(name, fingerprintOf(lower));
    }
    earlier.set(source, [...noted]);
  }
  const seen: SeenPlaces = [...earlier].map(([source, places]) => ({ source, places }));
  writeFileSync(`${fileOf(record)}.next`, JSON.stringify(seen), { mode: 0o600 });
  renameSync(`${fileOf(record)}.next`, fileOf(record));
}

/**
 * Returns the names of the directories of the host that something was written in. Every `try` waits for this, so nothing below a new directory is
 * looked at, and no file: a container may have made any number. A directory that cannot be looked at is left out, and so stays in doubt.
 */
export function writtenIn(upperdir: string, source: string): string[] {
  const found: string[] = [];
  const waiting = [''];
  for (let above = waiting.pop(); above !== undefined; above = waiting.pop()) {
    for (const name of directoriesIn(below(upperdir, above))) {
      const whole = above ? `${above}/${name}` : name;
      if (!isDirectory(below(source, whole))) continue;
      found.push(whole);
      waiting.push(whole);
    }
  }
  return found;
}

const below = (top: string, name: string): Buffer => (name ? Buffer.concat([Buffer.from(`${top}/`), Buffer.from(name, 'latin1')]) : Buffer.from(top));

function directoriesIn(directory: Buffer): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true, encoding: 'buffer' }).flatMap((each) => (each.isDirectory() ? [each.name.toString('latin1')] : []));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') ignoreMissing(error as NodeJS.ErrnoException);
    return [];
  }
}

function isDirectory(pathname: Buffer): boolean {
  try {
    return lstatSync(pathname, { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch (error) {
    if (!['EACCES', 'ELOOP', 'ENAMETOOLONG'].includes((error as NodeJS.ErrnoException).code ?? '')) ignoreMissing(error as NodeJS.ErrnoException);
    return false;
  }
}
