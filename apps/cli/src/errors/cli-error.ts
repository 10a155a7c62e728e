import { LamellaError } from '@lamella/syscall';
import type { CliErrorCode } from './error-codes.js';

/** An error of a command, for which no package has a class. */
export class CliError extends LamellaError<CliErrorCode> {
  static override readonly brand: string = 'CliError';
  override readonly name = 'CliError';
}
