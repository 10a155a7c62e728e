import { LamellaError } from '@lamella/syscall';
import type { EngineErrorCode } from './error-codes.js';

/** An error of @lamella/engine. */
export class EngineError extends LamellaError<EngineErrorCode> {
  static override readonly brand: string = 'EngineError';
  override readonly name = 'EngineError';
}
