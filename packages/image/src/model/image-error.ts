import { LamellaError } from '@lamella/syscall';
import type { ImageErrorCode } from './error-codes.js';

/** An error of @lamella/image. */
export class ImageError extends LamellaError<ImageErrorCode> {
  override readonly name = 'ImageError';
}
