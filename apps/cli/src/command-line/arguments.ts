import { string } from '@oclif/core/args';
import type { Arg } from '@oclif/core/interfaces';

/**
 * An argument of a command line that has to be there. oclif would take one that is missing from
 * stdin, but what comes there are archives and passwords.
 */
export function requiredArgument(description: string): Arg<string> {
  return string({ required: true, description, ignoreStdin: true });
}

/** One that may be missing. */
export function optionalArgument(description: string): Arg<string | undefined> {
  return string({ description, ignoreStdin: true });
}
