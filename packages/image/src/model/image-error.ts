import { LamellaError } from '@lamella/syscall';

/** What can go wrong with images and archives; see the table in the package's README. */
export class ImageError extends LamellaError {
  override readonly name = 'ImageError';
}
