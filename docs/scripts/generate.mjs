/** Writes the reference below `docs/reference`: commands from oclif's manifest, the SDK from types, errors and ops from the sources. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cliReference } from './cli-reference.mjs';
import { errorReference } from './error-reference.mjs';
import { opReference } from './op-reference.mjs';
import { sdkReference } from './sdk-reference.mjs';

const root = path.join(import.meta.dirname, '../..');
const reference = path.join(root, 'docs/reference');

rmSync(reference, { recursive: true, force: true });
const pages = { ...cliReference(root), ...errorReference(root), ...opReference() };
for (const [name, text] of Object.entries(pages)) {
  const file = path.join(reference, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}
await sdkReference(root, path.join(reference, 'sdk'));
