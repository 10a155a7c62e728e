import type { StatsBase } from 'node:fs';
import type { FileErrorCode } from '../errors/error-codes.js';
import { LamellaError } from '../errors/lamella-error.js';

/** Reasons for which a file is not read. */
export type FileProblem = 'missing' | 'unreadable' | 'irregular' | 'too-large' | 'outside';

const CODES: { readonly [Problem in FileProblem]: FileErrorCode } = {
  missing: 'FILE_MISSING',
  unreadable: 'FILE_UNREADABLE',
  irregular: 'FILE_IRREGULAR',
  'too-large': 'FILE_TOO_LARGE',
  outside: 'FILE_OUTSIDE',
};

/**
 * A file of others cannot or must not be read. `code` is `FILE_MISSING`, `FILE_UNREADABLE`, `FILE_IRREGULAR`, `FILE_TOO_LARGE` or
 * `FILE_OUTSIDE`.
 */
export class FileError extends LamellaError<FileErrorCode> {
  static override readonly brand: string = 'FileError';
  override readonly name = 'FileError';
  readonly problem: FileProblem;
  /** The file, as messages name it. */
  readonly file: string;

  constructor(problem: FileProblem, file: string, message: string, hint: string, cause?: unknown) {
    super({ code: CODES[problem], message, hint, ...(cause === undefined ? {} : { cause }) });
    this.problem = problem;
    this.file = file;
  }

  /** The error of a call on the file. */
  static of(file: string, cause: NodeJS.ErrnoException): FileError {
    const errno = cause.code ?? cause.message;
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return new FileError('missing', file, `${file} does not exist`, 'Check the path.', cause);
    const loop = errno === 'ELOOP';
    return new FileError(
      'unreadable',
      file,
      loop ? `${file} cannot be read: too many links lead to it` : `${file} cannot be read: ${errno}`,
      loop ? 'Its links lead in a circle; replace them by the file.' : 'Check its permissions.',
      cause,
    );
  }
}

/** Returns the type of an irregular file. */
export function kindOf(stat: StatsBase<unknown>): string {
  if (stat.isDirectory()) return 'a directory';
  if (stat.isFIFO()) return 'a FIFO';
  if (stat.isSocket()) return 'a socket';
  if (stat.isSymbolicLink()) return 'a symbolic link';
  if (stat.isCharacterDevice() || stat.isBlockDevice()) return 'a device';
  return 'a regular file';
}
