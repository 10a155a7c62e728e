import { LamellaError } from '@lamella/syscall';
import type { CleanupErrorCode } from './error-codes.js';

/** An error of @lamella/cleanup. */
export class CleanupError extends LamellaError<CleanupErrorCode> {
  static override readonly brand: string = 'CleanupError';
  override readonly name = 'CleanupError';
}
