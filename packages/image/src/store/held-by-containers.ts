import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { entriesOf } from './entries-of.js';
import type { StorePaths } from './store-paths.js';

/** A container that stays after its end, and what it stands on. */
export interface Holder {
  readonly id: string;
  /** Digest of its image. */
  readonly image: string;
  /** Its layers: diffIDs, or chainIDs of what was made for its stack. */
  readonly trees: readonly string[];
}

/** Those that `containers/<id>/layers` tell of: the digest of the image in the first line, then a layer in each. */
export async function heldByContainers(paths: StorePaths): Promise<readonly Holder[]> {
  const held: Holder[] = [];
  for (const id of await entriesOf(paths.containers)) {
    if (id.startsWith('.')) continue;
    const text = await readFile(path.join(paths.containers, id, 'layers'), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
      throw error;
    });
    const [image, ...trees] = (text ?? '').split('\n').filter(Boolean);
    if (image !== undefined) held.push({ id, image, trees });
  }
  return held;
}
