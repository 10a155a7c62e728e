import { expect, test } from 'vitest';
import { matchesPath } from './match-path.js';

test.each([
  ['/src/dist', '/src/dist', true],
  ['/src/dist/deep/file', '/src/dist', true],
  ['/src/dist/file', '/src/dist/', true],
  ['/src/distance', '/src/dist', false],
  ['/src', '/src/dist', false],
  ['/a/b/c.log', '**/*.log', true],
  ['/a/b/c.log', '/a/*', true],
  ['/b/c.log', '/a/*', false],
  ['/a', '/', true],
])('%s by %s: %s', (path, pattern, expected) => {
  expect(matchesPath(path, pattern)).toBe(expected);
});
