import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Claim, formatJournal, parseJournal, release } from './index.js';

const path = fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => `/${text}`);
const claim: fc.Arbitrary<Claim> = fc.oneof(
  fc.record({ kind: fc.constant('directory' as const), path }),
  fc.record({ kind: fc.constant('mount' as const), path }),
  fc.record({ kind: fc.constant('mount' as const), path, upperdir: path }),
);

test('a journal is read as it was written', () => {
  fc.assert(
    fc.property(fc.array(claim), (claims) => {
      expect(parseJournal(formatJournal(claims))).toEqual(claims);
    }),
  );
});

test('a torn journal claims nothing, wherever it was torn', () => {
  fc.assert(
    fc.property(fc.array(claim, { minLength: 1 }), fc.nat(), (claims, at) => {
      const whole = formatJournal(claims).trimEnd();
      expect(parseJournal(whole.slice(0, at % whole.length))).toEqual([]);
    }),
  );
});

test('a journal of another version, or with relative paths, claims nothing', () => {
  expect(parseJournal('{"version":2,"claims":[{"kind":"directory","path":"/x"}]}')).toEqual([]);
  expect(parseJournal('{"version":1,"claims":[{"kind":"directory","path":"x"}]}')).toEqual([]);
});

test('what was claimed last is released first', () => {
  const claims: Claim[] = [
    { kind: 'directory', path: '/a' },
    { kind: 'mount', path: '/a/b' },
  ];
  expect(release(claims).map((op) => [op.op, 'target' in op ? op.target : 'pathname' in op ? op.pathname : ''])).toEqual([
    ['umount2', '/a/b'],
    ['rmtree', '/a'],
  ]);
});
