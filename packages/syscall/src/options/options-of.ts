import type { OptionErrorCode } from '../errors/error-codes.js';
import type { LamellaErrorFields } from '../errors/lamella-error.js';
import { type Check, OptionFault, objectOf, type Shape } from './check.js';

/**
 * Returns the argument of a public function, read once: objects of options and lists are copied.
 *
 * @param name the function with its parameter, as users call it: `run(spec)`, for the message
 * @throws an error of the class of the reader: `OPTION_UNKNOWN` with the nearest name, `OPTION_INVALID`, `OPTION_MISSING`
 */
export type OptionReader = <T>(name: string, given: T, check: Check<NoInfer<T>>) => T;

/** Returns the reader of a package. @param error the class of the errors of the package */
export function optionReader(error: new (fields: LamellaErrorFields<OptionErrorCode>) => Error): OptionReader {
  return (name, given, check) => {
    try {
      return check(given, name);
    } catch (fault) {
      if (!(fault instanceof OptionFault)) throw fault;
      const { message, hint, cause } = fault;
      const rest = { message, hint, ...(cause === undefined ? {} : { cause }) };
      if (fault.kind === 'unknown') throw new error({ code: 'OPTION_UNKNOWN', ...rest });
      if (fault.kind === 'missing') throw new error({ code: 'OPTION_MISSING', ...rest });
      throw new error({ code: 'OPTION_INVALID', ...rest });
    }
  };
}

/** Returns a shape as a check that is made at its first use, which saves commands without options the work. */
export function shapeOf<T>(shape: () => Shape<T>): Check<T> {
  let made: Check<T> | undefined;
  const check = (): Check<T> => (made ??= objectOf(shape()));
  return Object.defineProperty((value: unknown, at: string) => check()(value, at), 'takes', { get: () => check().takes }) as unknown as Check<T>;
}
