import { LamellaError } from '@lamella/syscall';
import type { ImageErrorCode } from './error-codes.js';

/** An error of @lamella/image. */
export class ImageError extends LamellaError<ImageErrorCode> {
  static override readonly brand: string = 'ImageError';
  override readonly name = 'ImageError';
}
