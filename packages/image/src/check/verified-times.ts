import path from 'node:path';
import { lockFile } from '@lamella/syscall';
import { isUntouched, type Known } from '../stack/compare-trees.js';
import { writeDurably } from '../store/durable-file.js';
import { entriesOf } from '../store/entries-of.js';
import { readLayerMeta } from '../store/layer-meta.js';
import type { StorePaths } from '../store/store-paths.js';
import { textOfStored } from '../store/stored-file.js';

/** A file beside a tree: when it was compared, in milliseconds since the epoch. */
const VERIFIED = 'verified';

/** Whether nothing in a layer's tree was touched since it was unpacked, or compared. */
export function isLayerUntouched(paths: StorePaths, diffID: string): Promise<boolean> {
  return isTreeUntouched(paths, paths.layer(diffID));
}

/** The same of any directory with a tree and its notes. */
export async function isTreeUntouched(paths: StorePaths, directory: string): Promise<boolean> {
  const since = knownSince(directory);
  if (since === undefined) return false;
  const known: Known = { since, linked: await linkedSince(paths) };
  return await isUntouched(path.join(directory, 'fs'), known);
}

/**
 * Notes that a tree was compared: a store that was copied has the times of that, and is not compared each time.
 *
 * @param when milliseconds since the epoch
 */
export async function noteVerified(paths: StorePaths, directory: string, when: number): Promise<void> {
  await using _index = await lockFile(paths.lock('index'));
  await writeDurably(path.join(directory, VERIFIED), `${when}\n`);
}

function knownSince(directory: string): number | undefined {
  const meta = readLayerMeta(path.join(directory, 'meta.json'));
  if (!meta) return undefined;
  const verified = Number(textOfStored(path.join(directory, VERIFIED)) ?? 0);
  // A damaged note says nothing.
  return Math.max(meta.unpackedAt, Number.isSafeInteger(verified) && verified <= Date.now() ? verified : 0);
}

/** When trees were linked to files of layers last. */
async function linkedSince(paths: StorePaths): Promise<number> {
  const times = (await entriesOf(paths.rebased)).map((name) => knownSince(path.join(paths.rebased, name)) ?? 0);
  return Math.max(0, ...times);
}
