import { LamellaError } from '@lamella/syscall';

/** What can go wrong with a stack of layers; see the table in the package's README. */
export class OverlayError extends LamellaError {
  override readonly name = 'OverlayError';
}
