import { LamellaError } from '@lamella/syscall';
import type { OciErrorCode } from './error-codes.js';

/** An error of @lamella/oci-runtime. */
export class OciError extends LamellaError<OciErrorCode> {
  override readonly name = 'OciError';
}
