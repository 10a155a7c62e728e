import { type OptionReader, optionReader, shapeOf, take } from '@lamella/syscall';
import type { CompileOptions } from './compile-options.js';
import { SeccompError } from './seccomp-error.js';

/** Checks the options of the public functions of this package. */
export const read: OptionReader = optionReader(SeccompError);

export const COMPILE_OPTIONS: take.Check<CompileOptions> = shapeOf<CompileOptions>(() => ({
  capabilities: take.listOf(take.text),
  kernel: take.text,
  // compileProfile checks the name itself: ARCHITECTURE_UNKNOWN.
  architecture: take.text as unknown as take.Check<NonNullable<CompileOptions['architecture']>>,
  newerAreAbsent: take.flag,
  compat: take.flag,
}));
