import { expect, test } from 'vitest';
import { containerTest } from './index.js';

test.for<[string, object, string]>([
  ['a name that there is not', { logs: /never/ }, 'OPTION_UNKNOWN'],
  ['a word for a time', { timeout: 'soon' }, 'OPTION_INVALID'],
  ['no time', { timeout: 0 }, 'OPTION_INVALID'],
  ['more time than a timer takes', { timeout: 2 ** 31 }, 'OPTION_INVALID'],
  ['a number for a line', { log: 1 }, 'OPTION_INVALID'],
  ['a port that there is not', { port: 65_536 }, 'OPTION_INVALID'],
  ['a command that is no list', { command: 'true' }, 'OPTION_INVALID'],
])('ready with %s is refused before any test runs', ([, ready, code]) => {
  expect(() => containerTest({ image: 'busybox', ready: ready as never })).toThrow(expect.objectContaining({ code }));
});

test('ready with all that it takes is taken', () => {
  const ready = { log: /^ready$/, port: 80, command: ['true'], http: 'http://127.0.0.1/', timeout: 1 };
  expect(() => containerTest({ image: 'busybox', ready })).not.toThrow();
});
