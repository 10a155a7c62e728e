import { string } from '@oclif/core/args';
import type { Arg } from '@oclif/core/interfaces';

/**
 * Returns a required argument. oclif would read a missing one from stdin, where archives and passwords
 * come from.
 */
export function requiredArgument(description: string): Arg<string> {
  return string({ required: true, description, ignoreStdin: true });
}

/** Returns an optional argument. */
export function optionalArgument(description: string): Arg<string | undefined> {
  return string({ description, ignoreStdin: true });
}
