import { LamellaError } from '@lamella/syscall';

/** What this package throws; codes are listed in its README. */
export class SeccompError extends LamellaError {
  override readonly name = 'SeccompError';
}
