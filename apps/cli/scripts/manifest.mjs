/** Writes `oclif.manifest.json`, from which oclif reads the commands without loading them. */
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Plugin } from '@oclif/core/config';

const root = path.join(import.meta.dirname, '..');
const file = path.join(root, 'oclif.manifest.json');
rmSync(file, { force: true });
const plugin = new Plugin({ root, type: 'core', ignoreManifest: true, errorOnManifestCreate: true, respectNoCacheDefault: true });
await plugin.load();
writeFileSync(file, `${JSON.stringify(plugin.manifest, undefined, 2)}\n`);
