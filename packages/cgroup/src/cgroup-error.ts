import { LamellaError } from '@lamella/syscall';

/** What this package throws; codes are listed in its README. */
export class CgroupError extends LamellaError {
  override readonly name = 'CgroupError';
}
