import { LamellaError } from '@lamella/syscall';
import type { OverlayErrorCode } from './error-codes.js';

/** An error of @lamella/overlay. */
export class OverlayError extends LamellaError<OverlayErrorCode> {
  static override readonly brand: string = 'OverlayError';
  override readonly name = 'OverlayError';
}
