/** The command in one CommonJS file: Node starts that fastest from its compile cache, and engines start it three times for each container. */
import { copyFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { build } from 'esbuild';

const root = path.join(import.meta.dirname, '..');
await build({
  entryPoints: [path.join(root, 'dist/command/main.js')],
  outfile: path.join(root, 'dist/command/lamella-oci.cjs'),
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'cjs',
  external: ['execa'],
  define: { 'import.meta.dirname': '__dirname', 'import.meta.url': '__filename' },
  minifySyntax: true,
  minifyWhitespace: true,
  minifyIdentifiers: true,
  legalComments: 'none',
  logLevel: 'warning',
});

// Found without a look at any package.json.
for (const name of ['compile-cache', 'own-words'])
  await copyFile(createRequire(import.meta.url).resolve(`@lamella/syscall/${name}`), path.join(root, `dist/${name}.cjs`));
