import type { OptionErrorCode } from '@lamella/syscall';

/** The codes of {@link CleanupError}, each with its meaning. The reference of errors is made from this table. */
export const CLEANUP_ERROR_CODES = {
  CLEANUP_INCOMPLETE: 'A resource could not be released; the next sweep tries again.',
} as const;

/** The code of a {@link CleanupError}. */
export type CleanupErrorCode = keyof typeof CLEANUP_ERROR_CODES | OptionErrorCode;
