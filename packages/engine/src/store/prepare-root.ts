import { existsSync } from 'node:fs';
import path from 'node:path';
import { makeDirectory } from '@lamella/image';
import { givenNamesOf } from './generated-names.js';
import { nameLinkOf } from './names.js';

/** Makes the directory that all containers are in. */
export function prepareRoot(root: string): void {
  const names = path.dirname(nameLinkOf(path.join(root, 'containers'), 'x'));
  for (const directory of [names, givenNamesOf(path.join(root, 'containers'))]) if (!existsSync(directory)) makeDirectory(directory);
}
