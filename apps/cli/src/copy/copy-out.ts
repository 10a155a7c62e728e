import { lstat, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { StoredContainer } from '@lamella/engine';
import { putFiles } from '@lamella/image';
import { UsageError } from '../errors/usage-error.js';
import { stdout } from '../output/out.js';
import { assertsDirectory, type Destination, entryName, placeCopy } from './entry-name.js';
import { followHost, type Writable } from './host-path.js';
import { writableSources } from './writable-sources.js';

export interface CopyFlags {
  /** Whether owners are kept. */
  readonly archive: boolean;
  /** Whether a symbolic link at the end of the source is followed. */
  readonly followLink: boolean;
}

/** Copies a path of a container to the host, or as a tar archive to stdout. @throws UsageError; EngineError; ImageError */
export async function copyFromContainer(container: StoredContainer, source: string, destination: string, flags: CopyFlags): Promise<void> {
  if (destination === '-' && stdout.isTerminal) throw new UsageError('refusing to write a tar archive to a terminal', 'Use a directory, or redirect.');
  const own = entryName(source);
  const { pathname, state } = flags.followLink ? await container.follow(source) : { pathname: withSlash(source), state: await container.stat(source) };
  if (!state) throw new UsageError(`no such file or directory in the container: ${source}`, 'Check the path.');
  const isDirectory = state.type === 'directory';
  if (!isDirectory && assertsDirectory(source)) throw new UsageError(`${source} in the container is not a directory`, 'Remove the slash at the end.');
  if (destination === '-') {
    // As with Docker the entry has the name of the link's target.
    await pipeline(await container.copyOut(pathname, flags.followLink ? entryName(pathname) : own), stdout.stream());
    return;
  }
  const place = placeCopy(own, isDirectory, await lookAt(destination, writableSources(container)));
  if (place === 'not-a-directory')
    throw new UsageError(
      `${destination} is not a directory`,
      isDirectory ? 'Copy a directory into a directory, or to a new path.' : 'Create the directory first, or remove the slash at the end.',
    );
  if (!(await stat(place.directory).catch(ignoreMissing))?.isDirectory()) throw new UsageError(`${place.directory} is not a directory`, 'Create it first.');
  await putFiles(await container.copyOut(pathname, place.name), place.directory, { keepOwners: flags.archive });
}

async function lookAt(destination: string, writable: Writable): Promise<Destination> {
  const pathname = await followHost(path.resolve(destination), writable, true);
  const found = await lstat(pathname).catch(ignoreMissing);
  if (found?.isCharacterDevice() || found?.isBlockDevice())
    throw new UsageError(`${destination} is a device`, 'Copy to a directory or a file, or use - for a tar archive on stdout.');
  if (found && !found.isDirectory() && assertsDirectory(destination)) throw new UsageError(`${destination} is not a directory`, 'Remove the slash at the end.');
  return {
    pathname: found ? pathname : `${pathname}${assertsDirectory(destination) ? '/' : ''}`,
    state: found ? (found.isDirectory() ? 'directory' : 'other') : 'nothing',
  };
}

/** Returns an absolute path in the container, with the slash that the user gave. */
function withSlash(pathname: string): string {
  return path.posix.resolve('/', pathname) + (assertsDirectory(pathname) ? '/' : '');
}

/** Returns undefined for the error of a missing file, and rethrows others. */
export function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
  throw error;
}
