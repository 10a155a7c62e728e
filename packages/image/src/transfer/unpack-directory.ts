import { lstat, mkdir, rename } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { FileError, lockFile, streamRegular } from '@lamella/syscall';
import { applyLayer } from '../layer/apply-layer.js';
import type { AppliedLayer } from '../model/applied-layer.js';
import type { ApplyOptions } from '../model/apply-options.js';
import { ImageError } from '../model/image-error.js';
import { APPLY_OPTIONS, read } from '../options/option-shapes.js';
import { removeTree } from '../store/temporary-layer.js';

/**
 * Unpacks an archive as a plain directory, without a store: under a temporary name beside it, then
 * renamed, so that a directory of that name is always whole. Other processes that ask at the same time wait.
 *
 * @param archive absolute path of the archive
 * @param directory absolute path; when it exists it is taken as it is
 * @returns undefined when the directory was there already
 * @throws ImageError; nothing partial stays
 */
export async function unpackDirectory(archive: string, directory: string, given: ApplyOptions = {}): Promise<AppliedLayer | undefined> {
  const options = read('unpackDirectory(archive, directory, options)', given, APPLY_OPTIONS);
  const lock = lockFile(archive, { create: false, ...(options.signal ? { signal: options.signal } : {}) }).catch((cause: { code?: string }) => {
    throw new ImageError({
      code: 'ARCHIVE_UNREADABLE',
      message: `${archive} cannot be read: ${cause.code}`,
      hint: cause.code === 'ENOENT' ? 'Check the path.' : 'Check its permissions.',
      cause,
    });
  });
  await using _turn = await lock;
  if (await exists(directory)) return undefined;
  const temporary = path.join(path.dirname(directory), `.${path.basename(directory)}.unpacking`);
  // One that is there while we hold the lock belongs to a process that was killed.
  await removeTree(temporary);
  try {
    await mkdir(temporary, { mode: 0o755 });
    const applied = await applyLayer(await stream(archive, options.signal), temporary, options);
    await rename(temporary, directory);
    return applied;
  } catch (error) {
    await removeTree(temporary);
    throw error;
  }
}

async function stream(archive: string, signal: AbortSignal | undefined): Promise<Readable> {
  return await streamRegular(archive, { signal }).catch((error) => {
    if (!(error instanceof FileError)) throw error;
    throw new ImageError({ code: 'ARCHIVE_UNREADABLE', message: error.message, hint: error.hint, cause: error });
  });
}

async function exists(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}
