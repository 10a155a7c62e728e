import { describe, expect, test } from 'vitest';
import { booleanFlag, type Flags, integerFlag, listFlag, parseFlags, textFlag } from './parse-flags.js';

const FLAGS: Flags = {
  bundle: { type: 'string', short: 'b', about: '' },
  env: { type: 'string', short: 'e', multiple: true, about: '' },
  force: { type: 'boolean', short: 'f', about: '' },
  number: { type: 'string', about: '' },
};

describe('parseFlags', () => {
  test.each([
    [['--bundle', 'x', 'id'], { bundle: 'x' }],
    [['--bundle=x', 'id'], { bundle: 'x' }],
    [['-bundle', 'x', 'id'], { bundle: 'x' }],
    [['-b', 'x', 'id'], { bundle: 'x' }],
    [['id', '-b=x=y'], { bundle: 'x=y' }],
    [['--bundle=', 'id'], { bundle: '' }],
    [['--bundle', '--force', 'id'], { bundle: '--force' }],
    [['-f', 'id'], { force: true }],
    [['--force=false', 'id'], { force: false }],
    [['--force=1', 'id'], { force: true }],
    [['-e', 'A=1', '--env=B=2', 'id'], { env: ['A=1', 'B=2'] }],
    [['id'], {}],
  ])('%j', (args, values) => {
    expect(parseFlags(args, FLAGS, false)).toEqual({ values, rest: ['id'] });
  });

  test('flags end at -- and, with stopEarly, at the first argument', () => {
    expect(parseFlags(['--', '--force'], FLAGS, false)).toEqual({ values: {}, rest: ['--force'] });
    expect(parseFlags(['one', 'sh', '-f'], FLAGS, true)).toEqual({ values: {}, rest: ['one', 'sh', '-f'] });
    expect(parseFlags(['-', '-f'], FLAGS, false)).toEqual({ values: { force: true }, rest: ['-'] });
  });

  test.each([
    [['--luck'], 'flag provided but not defined: --luck'],
    [['--luck=1'], 'flag provided but not defined: --luck'],
    [['--bundle'], 'flag needs an argument: --bundle'],
    [['--force=maybe'], "invalid boolean value 'maybe' for --force"],
  ])('%j is refused', (args, message) => {
    expect(() => parseFlags(args, FLAGS, false)).toThrow(expect.objectContaining({ code: 'USAGE', message }));
  });
});

test('values have the type of their flag', () => {
  const { values } = parseFlags(['--bundle=x', '-e', 'A', '-f', '--number', '-5'], FLAGS, false);
  expect(textFlag(values, 'bundle')).toBe('x');
  expect(textFlag(values, 'env')).toBeUndefined();
  expect(listFlag(values, 'env')).toEqual(['A']);
  expect(listFlag(values, 'bundle')).toEqual([]);
  expect(booleanFlag(values, 'force')).toBe(true);
  expect(integerFlag(values, 'number')).toBe(-5);
  expect(integerFlag(values, 'none')).toBeUndefined();
  expect(() => integerFlag(values, 'bundle')).toThrow("invalid value 'x' for --bundle: use an integer");
});
