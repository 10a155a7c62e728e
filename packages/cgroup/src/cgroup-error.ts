import { LamellaError } from '@lamella/syscall';
import type { CgroupErrorCode } from './error-codes.js';

/** An error of @lamella/cgroup. */
export class CgroupError extends LamellaError<CgroupErrorCode> {
  static override readonly brand: string = 'CgroupError';
  override readonly name = 'CgroupError';
}
