import { lstatSync } from 'node:fs';
import { removeTree } from './temporary-layer.js';

/** Makes way for a file of the store where a directory has its name: rename(2) replaces anything else. */
export async function clearPlace(file: string): Promise<void> {
  if (lstatSync(file, { throwIfNoEntry: false })?.isDirectory()) await removeTree(file);
}
