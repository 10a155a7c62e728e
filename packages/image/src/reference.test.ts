import fc from 'fast-check';
import { expect, test } from 'vitest';
import { familiarReference, formatReference, parseReference } from './index.js';

test.for([
  ['busybox', 'docker.io/library/busybox:latest', 'busybox'],
  ['busybox:1.36', 'docker.io/library/busybox:1.36', 'busybox'],
  ['team/tools', 'docker.io/team/tools:latest', 'team/tools'],
  ['localhost/x', 'localhost/x:latest', 'localhost/x'],
  ['localhost:5000/a/b:v1', 'localhost:5000/a/b:v1', 'localhost:5000/a/b'],
  ['registry.example.com/a__b/c-d.e', 'registry.example.com/a__b/c-d.e:latest', 'registry.example.com/a__b/c-d.e'],
] as const)('%s is %s', ([text, whole, familiar]) => {
  const reference = parseReference(text);
  expect([formatReference(reference), familiarReference(reference).name]).toEqual([whole, familiar]);
  expect(parseReference(formatReference(reference))).toEqual(reference);
});

test.for(['', 'UPPER', 'a//b', '-a', 'a:', 'a:b:c', 'a b', 'a/../b', '.hidden', 'a:tag with space', 'é', `a:${'t'.repeat(129)}`, 'x'.repeat(256)])(
  "'%s' is refused",
  (text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'REFERENCE_INVALID', hint: expect.any(String) }));
  },
);

test('any text is a reference or is refused', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), (text) => {
      try {
        expect(parseReference(formatReference(parseReference(text)))).toEqual(parseReference(text));
      } catch (error) {
        expect((error as { code: string }).code).toBe('REFERENCE_INVALID');
      }
    }),
  );
});
