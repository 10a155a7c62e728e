import path from 'node:path';
import { ImageError } from '../model/image-error.js';
import { entriesOf } from '../store/entries-of.js';
import type { StorePaths } from '../store/store-paths.js';
import { readStored } from '../store/stored-file.js';

/** A container that stays after its end, and what it stands on. */
export interface Holder {
  readonly id: string;
  /** Digest of its image; empty when it has none. */
  readonly image: string;
  /** Its layers: diffIDs, or chainIDs of what was made for its stack. */
  readonly trees: readonly string[];
  /** Its record is damaged: there may be more than it lists. */
  readonly damaged: boolean;
}

const LINE = /^sha256:[0-9a-f]{64}$/;

/** Those that `containers/<id>/layers` tell of: the digest of the image in the first line, then a layer in each. */
export async function heldByContainers(paths: StorePaths): Promise<readonly Holder[]> {
  const held: Holder[] = [];
  for (const id of await entriesOf(paths.containers)) {
    if (id.startsWith('.')) continue;
    const text = recordOf(path.join(paths.containers, id, 'layers'));
    if (text === undefined) continue;
    const [image = '', ...trees] = text.split('\n').slice(0, -1);
    const sound = text.endsWith('\n') && (image === '' || LINE.test(image)) && trees.every((each) => LINE.test(each));
    if (image || !sound) held.push({ id, image, trees, damaged: !sound });
  }
  return held;
}

/** Undefined when the container has none; nothing when it cannot be read. */
function recordOf(file: string): string | undefined {
  try {
    return readStored(file)?.toString('utf8');
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    // Something else than a directory is not a container.
    return error.message.includes('a part of its path') ? undefined : '';
  }
}
