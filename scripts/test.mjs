#!/usr/bin/env node
/**
 * Lint, types and build, package checks, every test, the benchmarks in a smoke run; ends with the
 * line `N passed, N failed, N skipped`. Arguments go to vitest, and then only tests run.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { makeBusyboxImage } from './busybox-image.mjs';

const root = path.join(import.meta.dirname, '..');
const report = path.join(root, '.reports/vitest.json');
mkdirSync(path.dirname(report), { recursive: true });
const filters = process.argv.slice(2);
const failures = [];

function step(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error) console.error(`${command}: ${error.message}`);
  if (status !== 0) failures.push([command, ...args].join(' '));
  return status === 0;
}

/** What to look at when the whole takes too long. */
function slowest(files) {
  return files
    .map(({ name, startTime, endTime }) => ({ name: path.relative(root, name), seconds: Math.round((endTime - startTime) / 1000) }))
    .sort((a, b) => b.seconds - a.seconds)
    .slice(0, 40)
    .map(({ name, seconds }) => `${String(seconds).padStart(5)}  ${name}`);
}

const built = step('turbo', ['run', 'build', '--output-logs=errors-only']);
if (!filters.length) {
  step('pnpm', ['--silent', 'lint']);
  if (built) step('pnpm', ['--silent', 'check:packages']);
}
let counts = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0 };
if (built) {
  await makeBusyboxImage(path.join(root, '.lamella/busybox.tar'));
  step('vitest', ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...filters]);
  counts = JSON.parse(readFileSync(report, 'utf8'));
  if (!filters.length) console.log(`The slowest files, in seconds:\n${slowest(counts.testResults).join('\n')}`);
  if (!filters.length) step('pnpm', ['--silent', 'bench', '--smoke']);
}
for (const failure of failures) console.error(`failed: ${failure}`);
// What fails outside of vitest counts as one failure each: the last line must not look green.
const failed = counts.numFailedTests + failures.filter((each) => !each.startsWith('vitest')).length;
console.log(`${counts.numPassedTests} passed, ${failed || (failures.length ? 1 : 0)} failed, ${counts.numPendingTests} skipped`);
process.exit(failures.length ? 1 : 0);
