import { LamellaError } from '@lamella/syscall';
import type { EngineErrorCode } from './error-codes.js';

/** An error of @lamella/engine. */
export class EngineError extends LamellaError<EngineErrorCode> {
  override readonly name = 'EngineError';
}
