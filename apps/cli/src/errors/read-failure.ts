import { FileError } from '@lamella/syscall';

/** Returns why a file could not be read: the errno, or a text. Rethrows other errors. */
export function readFailure(error: unknown): string {
  if (!(error instanceof FileError)) throw error;
  return (error.cause as NodeJS.ErrnoException | undefined)?.code ?? error.message;
}
