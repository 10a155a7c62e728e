import { LamellaError } from '@lamella/syscall';

/** What can go wrong where the packages meet; see the table in the package's README. */
export class EngineError extends LamellaError {
  override readonly name = 'EngineError';
}
