import { LamellaError } from '@lamella/syscall';
import type { NamespaceErrorCode } from './error-codes.js';

/** An error of @lamella/namespace. */
export class NamespaceError extends LamellaError<NamespaceErrorCode> {
  static override readonly brand: string = 'NamespaceError';
  override readonly name = 'NamespaceError';
}
