import { lstat } from 'node:fs/promises';
import path from 'node:path';
import type { StoredContainer } from '@lamella/engine';
import { getFiles } from '@lamella/image';
import { UsageError } from '../errors/usage-error.js';
import { type CopyFlags, ignoreMissing } from './copy-out.js';
import { assertsDirectory, type Destination, entryName, placeCopy } from './entry-name.js';
import { followHost } from './host-path.js';
import { writableSources } from './writable-sources.js';

/** Copies a path of the host, or what a tar on stdin has, into a container. @throws UsageError; EngineError; ImageError */
export async function copyToContainer(container: StoredContainer, source: string, destination: string, flags: CopyFlags): Promise<void> {
  const options = { keepOwners: flags.archive };
  const target = await lookAt(container, destination);
  if (source === '-') {
    if (target.state !== 'directory') throw new UsageError(`${destination} in the container is not a directory`, 'What comes on stdin is unpacked into one.');
    await container.copyIn(process.stdin, target.pathname, options);
    return;
  }
  const follows = flags.followLink || assertsDirectory(source);
  const absolute = await followHost(path.resolve(source), writableSources(container), follows);
  const found = await lstat(absolute).catch(ignoreMissing);
  if (!found) throw new UsageError(`${source} does not exist`, 'Check the path.');
  if (!found.isDirectory() && assertsDirectory(source)) throw new UsageError(`${source} is not a directory`, 'Leave the slash at its end out.');
  if (found.isSocket()) throw new UsageError(`${source} is a socket, which cannot be copied`, 'Show it in the container by a volume: -v.');
  const own = entryName(path.resolve(source) + (/(?:^|\/)\.$/.test(source) ? '/.' : ''));
  const place = placeCopy(own, found.isDirectory(), target);
  if (place === 'not-a-directory')
    throw new UsageError(
      `${destination} in the container is not a directory`,
      found.isDirectory() ? 'A directory is copied into one, or to a new name.' : 'Make it first; without a / at its end it is the name of the copy.',
    );
  const { dir, base } = path.parse(absolute);
  await container.copyIn(getFiles(dir, base || '.', place.name), place.directory, options);
}

async function lookAt(container: StoredContainer, destination: string): Promise<Destination> {
  const { pathname, state } = await container.follow(destination);
  if (state?.type === 'character' || state?.type === 'block')
    throw new UsageError(`${destination} in the container is a device`, 'Copy to a directory or a file.');
  if (state && state.type !== 'directory' && assertsDirectory(destination))
    throw new UsageError(`${destination} in the container is not a directory`, 'Leave the slash at its end out.');
  return { pathname: state ? pathname : destinationOf(pathname, destination), state: !state ? 'nothing' : state.type === 'directory' ? 'directory' : 'other' };
}

/** A path where nothing is, with what was said of it. */
function destinationOf(pathname: string, asked: string): string {
  return assertsDirectory(asked) && !pathname.endsWith('/') ? `${pathname}/` : pathname;
}
