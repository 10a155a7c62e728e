import { LamellaError } from '@lamella/syscall';
import type { CgroupErrorCode } from './error-codes.js';

/** An error of @lamella/cgroup. */
export class CgroupError extends LamellaError<CgroupErrorCode> {
  override readonly name = 'CgroupError';
}
