import { LamellaError } from '@lamella/syscall';

/** What can go wrong while claiming or releasing; see the table in the package's README. */
export class CleanupError extends LamellaError {
  override readonly name = 'CleanupError';
}
