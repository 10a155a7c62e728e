import { LamellaError } from '@lamella/syscall';

/** What can go wrong on the way into a container; see the table in the package's README. */
export class NamespaceError extends LamellaError {
  override readonly name = 'NamespaceError';
}
