import { LamellaError } from '@lamella/syscall';
import type { OciErrorCode } from './error-codes.js';

/** An error of @lamella/oci-runtime. */
export class OciError extends LamellaError<OciErrorCode> {
  static override readonly brand: string = 'OciError';
  override readonly name = 'OciError';
}
