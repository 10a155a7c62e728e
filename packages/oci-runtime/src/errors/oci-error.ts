import { LamellaError } from '@lamella/syscall';

/** What can go wrong between an engine and a container; the README lists the codes. */
export class OciError extends LamellaError {
  override readonly name = 'OciError';
}
