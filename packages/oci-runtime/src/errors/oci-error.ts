import { LamellaError } from '@lamella/syscall';

/** An error of the runtime. The README lists the codes. */
export class OciError extends LamellaError {
  override readonly name = 'OciError';
}
