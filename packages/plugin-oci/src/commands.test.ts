import { expect, test } from 'vitest';
import { COMMANDS } from './commands.js';

test.each(Object.entries(COMMANDS))('%s has a summary and help as the commands of the CLI', (_, { summary = '', flags }) => {
  expect(summary).toMatch(/^(?:Run|Create) .*[^.]$/);
  expect(summary.length).toBeLessThanOrEqual(60);
  for (const { description = '' } of Object.values(flags ?? {})) expect(description).toMatch(/^[A-Z].*[^.]$/);
});
