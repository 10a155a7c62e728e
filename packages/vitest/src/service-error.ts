import { LamellaError } from '@lamella/syscall';
import type { ServiceErrorCode } from './error-codes.js';

/** A service of a test ended, was not ready in time, or has wrong options. */
export class ServiceError extends LamellaError<ServiceErrorCode> {
  override readonly name = 'ServiceError';
}
