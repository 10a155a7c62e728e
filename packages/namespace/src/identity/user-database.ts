import { FileError } from '@lamella/syscall';
import { NamespaceError } from '../model/namespace-error.js';
import type { RootfsFiles } from './rootfs-file.js';

/**
 * The entries of passwd(5) or group(5) of a root, by their fields. The file is read again each time, line by line: it may
 * be large.
 */
export class UserDatabase {
  readonly #files: RootfsFiles;
  readonly #file: string;
  readonly #optional: boolean;
  /** Why the file exists and was not read. */
  problem: FileError | undefined;

  /**
   * @param file absolute, inside
   * @param optional whether a file that cannot be read is as good as none
   */
  constructor(files: RootfsFiles, file: string, optional: boolean) {
    this.#files = files;
    this.#file = file;
    this.#optional = optional;
  }

  /**
   * Returns the first entry that fits.
   *
   * @param mention what the line of an entry that fits has in it
   * @throws NamespaceError `USERS_UNREADABLE`, unless the file is optional
   */
  find(fits: (fields: readonly string[]) => boolean, mention?: string): readonly string[] | undefined {
    for (const fields of this.#entries(mention)) if (fits(fields)) return fields;
    return undefined;
  }

  /**
   * Returns all entries that fit, one after the other: there may be many.
   *
   * @param mention what the line of an entry that fits has in it
   * @throws NamespaceError `USERS_UNREADABLE`, unless the file is optional
   */
  *filter(fits: (fields: readonly string[]) => boolean, mention?: string): Generator<readonly string[]> {
    for (const fields of this.#entries(mention)) if (fits(fields)) yield fields;
  }

  *#entries(mention: string | undefined): Generator<readonly string[]> {
    try {
      for (const line of this.#files.lines(this.#file, mention)) if (!line.startsWith('#')) yield line.split(':');
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      if (!this.#optional && error.problem !== 'irregular')
        throw new NamespaceError({ code: 'USERS_UNREADABLE', message: error.message, hint: 'Name the user by numbers: -u UID:GID', cause: error });
      this.problem = error;
    }
  }
}
