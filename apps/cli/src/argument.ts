import { string } from '@oclif/core/args';
import type { Arg } from '@oclif/core/interfaces';

/**
 * An argument of a command line. oclif would take one that is missing from stdin, but what comes
 * there are archives and passwords.
 */
export function argument(options: { readonly required: true; readonly description: string }): Arg<string>;
export function argument(options: { readonly default: string; readonly description: string }): Arg<string>;
export function argument(options: { readonly description: string }): Arg<string | undefined>;
export function argument(options: { readonly required?: true; readonly default?: string; readonly description: string }): Arg<string | undefined> {
  return string({ ...options, ignoreStdin: true });
}
