import { expect, expectTypeOf, test } from 'vitest';
import { EngineError } from './engine-error.js';
import type { EngineErrorCode } from './error-codes.js';

test('an error of the engine has a code of the table, which a program can switch over', () => {
  const error = new EngineError({ code: 'CONTAINER_NOT_FOUND', message: 'there is no container x', hint: 'lamella ps -a' });
  expectTypeOf(error.code).toEqualTypeOf<EngineErrorCode>();
  expect(error.toJSON()).toEqual({ name: 'EngineError', code: 'CONTAINER_NOT_FOUND', message: 'there is no container x', hint: 'lamella ps -a' });
  // @ts-expect-error the table has no such code
  expect(new EngineError({ code: 'CONTAINER_MISSING', message: 'none' })).toBeInstanceOf(Error);
});
