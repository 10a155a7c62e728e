import { SyscallError } from '@lamella/syscall';
import { expect, test } from 'vitest';
import * as engine from '../index.js';

type ErrorClass = (abstract new (...args: never) => Error) & { readonly brand: string };

const isErrorClass = (value: unknown): value is ErrorClass => typeof value === 'function' && value !== Error && value.prototype instanceof Error;
const classes = (Object.values(engine) as unknown[]).filter(isErrorClass);

/** The same class, as a second copy of its package has it. */
function copyOf(original: ErrorClass): ErrorClass {
  const parent: unknown = Object.getPrototypeOf(original);
  const Base = (isErrorClass(parent) ? copyOf(parent) : Error) as new () => Error;
  return Object.assign(class extends Base {}, { brand: original.brand }) as unknown as ErrorClass;
}

test('each error class has its own brand', () => {
  expect(classes.length).toBeGreaterThan(5);
  for (const each of classes) expect([each.name, Object.hasOwn(each, 'brand')]).toEqual([each.name, true]);
  expect(new Set(classes.map(({ brand }) => brand)).size).toBe(classes.length);
});

test('an error of a second copy of a package is an instance of the same classes, and of no others', () => {
  for (const each of classes) {
    const error: unknown = Object.create(copyOf(each).prototype as object);
    for (const other of classes)
      expect([each.name, other.name, error instanceof other]).toEqual([each.name, other.name, each === other || each.prototype instanceof other]);
  }
  expect(new Error('other') instanceof SyscallError).toBe(false);
  expect(Object.create(null) instanceof SyscallError).toBe(false);
  class Own extends engine.EngineError {}
  expect(new engine.EngineError({ code: 'NO_COMMAND', message: '', hint: '' }) instanceof Own).toBe(false);
});
