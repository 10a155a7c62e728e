import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Somebody, WHO } from './somebody.js';

/**
 * Tests that differ in nothing but who runs them, run once more by others than root. What one id cannot express they
 * skip, and say so; what others do in words of their own is in files of its own (ordinary-user, sub-ids, lifecycle, transactions).
 */
const FILES = ['cli', 'confinement', 'image-places', 'killed', 'terminal'].map((name) => `test/e2e/src/${name}.test.ts`);
const CHECKOUT = path.join(import.meta.dirname, '../../..');
const VITEST = path.join(path.dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string; readonly failureMessages: readonly string[] }[];
  }[];
}

describe.for(['an ordinary user', 'an ordinary user with ids in /etc/subuid'] as const)('for %s', (name) => {
  let at: ScratchDirectory;
  let who: Somebody;
  beforeAll(() => {
    at = scratch();
    if (process.geteuid?.() === 0) who = WHO[name](at);
  });
  afterAll(() => at[Symbol.asyncDispose]());

  test('the same tests hold', { timeout: 400_000 }, (context) => {
    requiresRoot(context);
    who.required(context);
    const report = `${who.home}/report.json`;
    // The directory of the configuration is not theirs to write into, as its bundler would.
    const args = ['run', '--root', CHECKOUT, '--configLoader', 'native', '--no-file-parallelism', '--reporter=json', `--outputFile=${report}`, ...FILES];
    const { stderr } = who.run(process.execPath, [VITEST, ...args], { TMPDIR: who.home, TERM: 'xterm' });
    const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
    const results = testResults.flatMap(({ assertionResults }) => assertionResults);
    const passed = results.filter(({ status }) => status === 'passed').length;
    const skipped = results.filter(({ status }) => status !== 'passed' && status !== 'failed');
    for (const line of new Set(stderr.split('\n').filter((each) => each.startsWith('skipped: ')))) process.stderr.write(`${name}: ${line}\n`);
    process.stderr.write(`${name}: ${passed} passed, ${skipped.length} skipped\n`);
    expect(testResults.filter(({ assertionResults, message }) => !assertionResults.length && message).map(({ message }) => message)).toEqual([]);
    expect(
      results
        .filter(({ status }) => status === 'failed')
        .map(({ fullName, failureMessages }) => [fullName, ...failureMessages.map((each) => each.split('\n    at ')[0])]),
    ).toEqual([]);
    // Every one that is skipped has said why.
    expect(skipped.length).toBeLessThan(10);
    expect(passed).toBeGreaterThan(100);
  });
});
