import { type OptionReader, optionReader, shapeOf, take } from '@lamella/syscall';
import { CleanupError } from './cleanup-error.js';

/** Reads what public functions of this package are given. */
export const read: OptionReader = optionReader(CleanupError);

export const CLAIM_OPTIONS: take.Check<{ readonly durable?: boolean }> = shapeOf<{ readonly durable?: boolean }>(() => ({ durable: take.flag }));
export const RELEASE_OPTIONS: take.Check<{ readonly keep?: boolean }> = shapeOf<{ readonly keep?: boolean }>(() => ({ keep: take.flag }));
