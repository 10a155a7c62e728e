import type { ProgramErrorCode } from './error-codes.js';
import { LamellaError } from './lamella-error.js';

/** A program cannot be run, whatever its system calls: lamella-init is missing or ended, or the program is too long. */
export class ProgramError extends LamellaError<ProgramErrorCode> {
  static override readonly brand: string = 'ProgramError';
  override readonly name = 'ProgramError';
}
