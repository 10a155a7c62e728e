import { readReport, requiresRoot, type ScratchDirectory, scratch, vitestArgs } from '@lamella-test/scratch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kindsToRun, type TestUser, USERS } from './test-user.js';

/**
 * Tests that differ in nothing but who runs them, run once more by others than root. What one id cannot express they
 * skip, with a reason; what they do differently is in separate files (ordinary-user, sub-ids, lifecycle, transactions).
 */
const FILES = ['cli', 'confinement', 'image-places', 'killed', 'terminal'].map((name) => `test/e2e/src/${name}.test.ts`);

describe.for(kindsToRun('an ordinary user').filter((kind) => kind !== 'root'))('for %s', (name) => {
  let at: ScratchDirectory;
  let who: TestUser;
  beforeAll(() => {
    at = scratch();
    if (process.geteuid?.() === 0) who = USERS[name](at);
  });
  afterAll(() => at[Symbol.asyncDispose]());

  test('the same tests hold', { timeout: 400_000 }, (context) => {
    requiresRoot(context);
    who.require(context);
    const report = `${who.home}/report.json`;
    const { stderr } = who.run(process.execPath, vitestArgs(FILES, report), { TMPDIR: who.home, TERM: 'xterm' });
    for (const line of new Set(stderr.split('\n').filter((each) => each.startsWith('skipped: ')))) process.stderr.write(`${name}: ${line}\n`);
    const { passed, skipped, failed } = readReport(report);
    process.stderr.write(`${name}: ${passed} passed, ${skipped} skipped\n`);
    expect(failed).toEqual([]);
    // Every one that is skipped has said why.
    expect(skipped).toBeLessThan(10);
    expect(passed).toBeGreaterThan(100);
  });
});
