#!/usr/bin/env node
/**
 * Dependencies point one way: cli -> engine -> {image, overlay, namespace, cleanup, seccomp, cgroup} -> syscall. The
 * packages in the braces do not know each other, and nobody reaches behind another's index.
 */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const LEVEL = { syscall: 0, image: 1, overlay: 1, namespace: 1, cleanup: 1, seccomp: 1, cgroup: 1, engine: 2, 'oci-runtime': 2, vitest: 3, 'plugin-oci': 3 };
const CLI_LEVEL = 3;
/** Named entries beside a package's index. */
const ENTRIES = new Set([
  '@lamella/image/registry-client',
  '@lamella/overlay/contract',
  '@lamella/seccomp/default-filter',
  '@lamella/syscall/restore-arguments',
]);
const problems = [];

for (const file of globSync(['packages/*/src/**/*.ts', 'apps/*/src/**/*.ts'], { cwd: root })) {
  const [kind, owner] = file.split(path.sep);
  const own = kind === 'apps' ? CLI_LEVEL : LEVEL[owner];
  if (own === undefined) problems.push(`packages/${owner} has no place in the order of scripts/check-dependencies.mjs`);
  const text = readFileSync(path.join(root, file), 'utf8');
  // Examples in doc comments import the package that they describe.
  const code = text.replaceAll(/^ *\*.*$/gm, '');
  for (const [, specifier] of code.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
    if (specifier.startsWith('.')) {
      const target = path.relative(root, path.join(root, path.dirname(file), specifier));
      // A test of a lint looks at the lint.
      const isLint = file.endsWith('.test.ts') && target.startsWith('scripts');
      if (!isLint && !target.startsWith(path.join(kind, owner, 'src'))) problems.push(`${file} reaches out of its package: ${specifier}`);
      continue;
    }
    const [, name, rest] = /^@lamella\/([^/]+)(\/.*)?$/.exec(specifier) ?? [];
    if (name === undefined) continue;
    if (rest && !ENTRIES.has(specifier)) problems.push(`${file} reaches behind the index of @lamella/${name}: ${specifier}`);
    if (LEVEL[name] === undefined || LEVEL[name] >= own) problems.push(`${file} may not import @lamella/${name}`);
  }
  if (/^export default /m.test(text)) problems.push(`${file} has a default export`);
}

for (const problem of problems) console.error(problem);
process.exit(problems.length ? 1 : 0);
