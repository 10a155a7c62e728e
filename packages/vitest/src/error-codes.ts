import type { OptionErrorCode } from '@lamella/syscall';

/** The codes of {@link ServiceError}, each with its meaning. The reference of errors is made from this table. */
export const SERVICE_ERROR_CODES = {
  SERVICE_NOT_READY: 'A service was not ready in time.',
  SERVICE_ENDED: 'A service ended before it was ready.',
} as const;

/** The code of a {@link ServiceError}. */
export type ServiceErrorCode = keyof typeof SERVICE_ERROR_CODES | OptionErrorCode;
