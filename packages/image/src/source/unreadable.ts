import { FileError } from '@lamella/syscall';
import { ImageError } from '../model/image-error.js';

/** Returns what a file's error is for an image's source; other errors stay what they are. */
export function unreadable(error: unknown): unknown {
  if (!(error instanceof FileError)) return error;
  const code = error.problem === 'too-large' ? 'DOCUMENT_TOO_LARGE' : 'SOURCE_UNREADABLE';
  return new ImageError({ code, message: error.message, hint: error.hint, cause: error });
}
