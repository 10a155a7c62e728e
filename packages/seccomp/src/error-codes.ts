import type { OptionErrorCode } from '@lamella/syscall';

/** The codes of {@link SeccompError}, each with its meaning. The reference of errors is made from this table. */
export const SECCOMP_ERROR_CODES = {
  PROFILE_INVALID: 'The seccomp profile is invalid; the message names the property.',
  PROFILE_TOO_LARGE: 'The filter has more than the 4096 instructions that the kernel accepts.',
  FLAG_UNKNOWN: '`flags` has a name that seccomp(2) does not define.',
  ARCHITECTURE_UNKNOWN: 'There is no table of system calls for this architecture.',
} as const;

/** The code of a {@link SeccompError}. */
export type SeccompErrorCode = keyof typeof SECCOMP_ERROR_CODES | OptionErrorCode;
