/** Bundles the command into one CommonJS file, which Node starts fastest from its compile cache. Engines wait for it. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { build } from 'esbuild';
import { recordBundles } from '../../../scripts/bundle-list.mjs';

const root = path.join(import.meta.dirname, '..');
const require = createRequire(import.meta.url);
const bundle = path.join(root, 'dist/entry/lamella-oci.cjs');
await build({
  entryPoints: [path.join(root, 'dist/entry/main.js')],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'cjs',
  define: { 'import.meta.dirname': '__dirname', 'import.meta.url': '__filename' },
  minifySyntax: true,
  minifyWhitespace: true,
  minifyIdentifiers: true,
  legalComments: 'none',
  logLevel: 'warning',
});

// Through node:fs, which restoreArguments changes.
await writeFile(bundle, (await readFile(bundle, 'utf8')).replaceAll('require("node:fs/promises")', 'require("node:fs").promises'));

// Copied, so that the command finds them without reading a package.json.
const copies = ['compile-cache', 'remember-node'].map((name) => ({
  from: require.resolve(`@lamella/syscall/${name}`),
  to: path.join(root, `dist/${name}.cjs`),
}));
for (const { from, to } of copies) await copyFile(from, to);

recordBundles(root, [bundle, ...copies.map(({ to }) => to)]);
