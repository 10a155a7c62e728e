import { defineConfig } from 'vitest/config';

const include = ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'test/*/src/**/*.test.ts'];

/**
 * Files that want the machine for themselves: they count what all of it has (mounts, processes of a name). All others look at their own
 * directories alone, and two of them run at a time: most of a test is waiting.
 */
const alone = ['test/e2e/src/{endurance,network,on-overlay}.test.ts'];
/** Files that boot a second kernel, each of which fills a processor. */
const machines = ['test/machine/src/**/*.test.ts'];

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    setupFiles: ['test/scratch/dist/seed-properties.js'],
    projects: [
      {
        extends: true,
        test: { name: 'together', include, exclude: [...alone, ...machines, '**/node_modules/**', '**/dist/**'], maxWorkers: 2, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: { name: 'machines', include: machines, maxWorkers: 2, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: { name: 'alone', include: alone, maxWorkers: 1, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
