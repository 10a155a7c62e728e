import path from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const include = ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'test/*/src/**/*.test.ts'];

/**
 * Files that want the machine for themselves: they count what all of it has (mounts, processes of a name). All others look at their own
 * directories alone, and two of them run at a time: most of a test is waiting.
 */
const alone = ['test/e2e/src/{endurance,network,on-overlay}.test.ts'];

/** The slowest files, in the order of their start. Vitest starts the largest file first, which need not be the slowest. */
const LONGEST = [
  ...['faults/src/faults', 'e2e/src/as-others', 'e2e/src/attacks', 'machine/src/power', 'e2e/src/lifecycle', 'e2e/src/transactions', 'machine/src/e2e'],
  ...['machine/src/suite', 'e2e/src/fresh-machine', 'e2e/src/live-checkpoints', 'e2e/src/living-machine', 'e2e/src/try-states', 'e2e/src/model/model'],
].map((name) => path.join(import.meta.dirname, `test/${name}.test.ts`));

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => (LONGEST.indexOf(moduleId) + LONGEST.length + 1) % (LONGEST.length + 1);
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    globalSetup: ['test/scratch/dist/run-directory.js'],
    setupFiles: ['test/scratch/dist/seed-properties.js'],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: { name: 'together', include, exclude: [...alone, '**/node_modules/**', '**/dist/**'], maxWorkers: 2, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: { name: 'alone', include: alone, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
