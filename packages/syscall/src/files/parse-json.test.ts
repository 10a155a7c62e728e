import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonProblem } from './json-problem.js';
import { JSON_DEPTH, parseJson } from './parse-json.js';

test('a document is what JSON.parse makes of it, unless it is too deep', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 20 }), fc.string({ unit: fc.constantFrom('[', ']', '{', '"', '\\', 'a'), maxLength: 600 }), (document, text) => {
      const whole = `{"document":${document},"text":${JSON.stringify(text.repeat(3))}}`;
      expect(parseJson(whole)).toEqual(JSON.parse(whole));
    }),
    { numRuns: 100 },
  );
});

test('one that is too deep is refused before it is read, and what is accepted can be written', () => {
  for (const [open, close] of [
    ['[', ']'],
    ['{"a":', '}'],
  ] as const) {
    const nested = (depth: number): string => `${open.repeat(depth)}${open === '[' ? '' : '1'}${close.repeat(depth)}`;
    expect(JSON.stringify(parseJson(nested(JSON_DEPTH)))).toBe(nested(JSON_DEPTH));
    for (const depth of [JSON_DEPTH + 1, 1_000_000]) expect(() => parseJson(nested(depth))).toThrow(/nested more than 512 levels deep/);
    expect(() => parseJson(open.repeat(JSON_DEPTH + 1))).toThrow(SyntaxError);
  }
  // Not deep, but long.
  expect(parseJson(`[${'[],'.repeat(10_000)}[]]`)).toHaveLength(10_001);
  try {
    parseJson('['.repeat(600));
  } catch (error) {
    expect(jsonProblem(error)).toContain('512');
  }
});
