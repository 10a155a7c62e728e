import { FileError } from '@lamella/syscall';

/** Why a file that the user named was not read: the errno, or in words. Other errors are thrown on. */
export function readFailure(error: unknown): string {
  if (!(error instanceof FileError)) throw error;
  return (error.cause as NodeJS.ErrnoException | undefined)?.code ?? error.message;
}
