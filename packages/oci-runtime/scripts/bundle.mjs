/** The command in one CommonJS file: Node starts that fastest from its compile cache, and engines start it three times for each container. */
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
