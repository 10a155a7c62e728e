#!/usr/bin/env node
/**
 * Runs `turbo run build test` again and again, at several concurrencies: no package's tests may disturb another's.
 *
 *   node scripts/turbo-tests.mjs TIMES
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const CONCURRENCIES = [1, 2, 8];
const times = Number(process.argv[2] ?? 1);
if (!Number.isInteger(times) || times < 1) throw new RangeError(`${process.argv[2]} is no number of times`);
for (let i = 0; i < times; i++) {
  const concurrency = CONCURRENCIES[i % CONCURRENCIES.length];
  const { status } = spawnSync('turbo', ['run', 'build', 'test', `--concurrency=${concurrency}`, '--output-logs=errors-only'], { cwd: root, stdio: 'inherit' });
  console.log(`turbo run build test --concurrency=${concurrency}: ${status === 0 ? 'passed' : 'failed'} (${i + 1} of ${times})`);
  if (status !== 0) process.exit(1);
}
