/**
 * The list of the bundles that a package's build writes to dist. tsc's outputs have a source each, by which a stale one is found;
 * bundles have none, so without a list an old bundle would be packed.
 */
import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const LIST = 'dist/.bundles.json';

/** Records the bundles of a package, and removes all others. @param files the paths of all `.cjs` files that the build has written to dist */
export function recordBundles(root, files) {
  const names = files.map((file) => path.relative(root, file)).sort();
  writeFileSync(path.join(root, LIST), `${JSON.stringify(names, null, 2)}\n`);
  removeStaleBundles(root);
}

/** Removes the `.cjs` files in dist that the last build did not write. @returns the bundles of the package */
export function removeStaleBundles(root) {
  const list = path.join(root, LIST);
  const bundles = existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : [];
  for (const file of globSync('dist/**/*.cjs', { cwd: root })) if (!bundles.includes(file)) rmSync(path.join(root, file));
  return bundles;
}
