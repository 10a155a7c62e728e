import { LamellaError } from '@lamella/syscall';
import type { ServiceErrorCode } from './error-codes.js';

/** A service of a test ended, was not ready in time, or has wrong options. */
export class ServiceError extends LamellaError<ServiceErrorCode> {
  static override readonly brand: string = 'ServiceError';
  override readonly name = 'ServiceError';
}
