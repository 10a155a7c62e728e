import { lstat } from 'node:fs/promises';
import path from 'node:path';
import type { StoredContainer } from '@lamella/engine';
import { getFiles } from '@lamella/image';
import { UsageError } from '../errors/usage-error.js';
import { type CopyFlags, ignoreMissing } from './copy-out.js';
import { assertsDirectory, type Destination, entryName, placeCopy } from './entry-name.js';
import { followHost } from './host-path.js';
import { writableSources } from './writable-sources.js';

/** Copies a path of the host, or a tar archive on stdin, into a container. @throws UsageError; EngineError; ImageError */
export async function copyToContainer(container: StoredContainer, source: string, destination: string, flags: CopyFlags): Promise<void> {
  const options = { keepOwners: flags.archive };
  const target = await lookAt(container, destination);
  if (source === '-') {
    if (target.state !== 'directory')
      throw new UsageError(`${destination} in the container is not a directory`, 'The archive on stdin is unpacked into a directory.');
    await container.copyIn(process.stdin, target.pathname, options);
    return;
  }
  const follows = flags.followLink || assertsDirectory(source);
  const absolute = await followHost(path.resolve(source), writableSources(container), follows);
  const found = await lstat(absolute).catch(ignoreMissing);
  if (!found) throw new UsageError(`no such file or directory: ${source}`, 'Check the path.');
  if (!found.isDirectory() && assertsDirectory(source)) throw new UsageError(`${source} is not a directory`, 'Remove the slash at the end.');
  if (found.isSocket()) throw new UsageError(`cannot copy the socket ${source}`, 'Mount it with -v when the container is created.');
  const own = entryName(path.resolve(source) + (/(?:^|\/)\.$/.test(source) ? '/.' : ''));
  const place = placeCopy(own, found.isDirectory(), target);
  if (place === 'not-a-directory')
    throw new UsageError(
      `${destination} in the container is not a directory`,
      found.isDirectory() ? 'Copy a directory into a directory, or to a new path.' : 'Create the directory first, or remove the slash at the end.',
    );
  const { dir, base } = path.parse(absolute);
  await container.copyIn(getFiles(dir, base || '.', place.name), place.directory, options);
}

async function lookAt(container: StoredContainer, destination: string): Promise<Destination> {
  const { pathname, state } = await container.follow(destination);
  if (state?.type === 'character' || state?.type === 'block')
    throw new UsageError(`${destination} in the container is a device`, 'Copy to a directory or a file.');
  if (state && state.type !== 'directory' && assertsDirectory(destination))
    throw new UsageError(`${destination} in the container is not a directory`, 'Remove the slash at the end.');
  return { pathname: state ? pathname : destinationOf(pathname, destination), state: !state ? 'nothing' : state.type === 'directory' ? 'directory' : 'other' };
}

/** Returns the path of a missing destination, with the slash that the user gave. */
function destinationOf(pathname: string, asked: string): string {
  return assertsDirectory(asked) && !pathname.endsWith('/') ? `${pathname}/` : pathname;
}
