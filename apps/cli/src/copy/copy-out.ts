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
  /** Keep owners. */
  readonly archive: boolean;
  /** Of a link at the end of the source, copy what it leads to. */
  readonly followLink: boolean;
}

/** Copies a path of a container to the host, or as a tar to stdout. @throws UsageError; EngineError; ImageError */
export async function copyFromContainer(container: StoredContainer, source: string, destination: string, flags: CopyFlags): Promise<void> {
  if (destination === '-' && stdout.isTerminal) throw new UsageError('a tar is not for a terminal', 'Name a directory, or give it a pipe.');
  const own = entryName(source);
  const { pathname, state } = flags.followLink ? await container.follow(source) : { pathname: withSlash(source), state: await container.stat(source) };
  if (!state) throw new UsageError(`${source} in the container does not exist`, 'Check the path.');
  const isDirectory = state.type === 'directory';
  if (!isDirectory && assertsDirectory(source)) throw new UsageError(`${source} in the container is not a directory`, 'Leave the slash at its end out.');
  if (destination === '-') {
    // Docker calls it what it is called where -L leads.
    await pipeline(await container.copyOut(pathname, flags.followLink ? entryName(pathname) : own), stdout.stream());
    return;
  }
  const place = placeCopy(own, isDirectory, await lookAt(destination, writableSources(container)));
  if (place === 'not-a-directory')
    throw new UsageError(
      `${destination} is not a directory`,
      isDirectory ? 'A directory is copied into one, or to a new name.' : 'Make it first; without a / at its end it is the name of the copy.',
    );
  if (!(await stat(place.directory).catch(ignoreMissing))?.isDirectory()) throw new UsageError(`${place.directory} is not a directory`, 'Make it first.');
  await putFiles(await container.copyOut(pathname, place.name), place.directory, { keepOwners: flags.archive });
}

async function lookAt(destination: string, writable: Writable): Promise<Destination> {
  const pathname = await followHost(path.resolve(destination), writable, true);
  const found = await lstat(pathname).catch(ignoreMissing);
  if (found?.isCharacterDevice() || found?.isBlockDevice())
    throw new UsageError(`${destination} is a device`, 'Copy to a directory or a file; or - writes a tar to stdout.');
  if (found && !found.isDirectory() && assertsDirectory(destination))
    throw new UsageError(`${destination} is not a directory`, 'Leave the slash at its end out.');
  return {
    pathname: found ? pathname : `${pathname}${assertsDirectory(destination) ? '/' : ''}`,
    state: found ? (found.isDirectory() ? 'directory' : 'other') : 'nothing',
  };
}

/** A path as the container has it; what is said of a directory stays. */
function withSlash(pathname: string): string {
  return path.posix.resolve('/', pathname) + (assertsDirectory(pathname) ? '/' : '');
}

export function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
  throw error;
}
