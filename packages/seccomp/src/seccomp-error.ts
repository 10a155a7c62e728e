import { LamellaError } from '@lamella/syscall';
import type { SeccompErrorCode } from './error-codes.js';

/** An error of @lamella/seccomp. */
export class SeccompError extends LamellaError<SeccompErrorCode> {
  static override readonly brand: string = 'SeccompError';
  override readonly name = 'SeccompError';
}
