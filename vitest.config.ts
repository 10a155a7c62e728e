import { defineConfig } from 'vitest/config';

const include = ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'test/*/src/**/*.test.ts'];

/**
 * Files that want the machine for themselves: they count what all of it has (mounts, processes of a name), or boot a second
 * kernel on it. All others look at their own directories alone, and two of them run at a time: most of a test is waiting.
 */
const alone = ['test/machine/**', 'test/e2e/src/{endurance,network,on-overlay}.test.ts'];

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: { name: 'together', include, exclude: [...alone, '**/node_modules/**', '**/dist/**'], maxWorkers: 2, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: { name: 'alone', include: alone.map((each) => each.replace('/**', '/src/**/*.test.ts')), maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
