import { LamellaError } from '@lamella/syscall';

/** The error of this package. The README lists its codes. */
export class CgroupError extends LamellaError {
  override readonly name = 'CgroupError';
}
