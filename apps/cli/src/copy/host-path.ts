import { lstat, readlink, realpath } from 'node:fs/promises';
import path from 'node:path';
import { UsageError } from '../errors/usage-error.js';

/** Directories of the host to which the container can write. */
export type Writable = readonly string[];

/** As many links as the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * Follows the links of a path of the host. A directory to which the container can write may have links of the container, which must not
 * decide what is copied: there a link is followed only within the same directory.
 *
 * @param pathname absolute; parts of it may be missing
 * @param last whether a link at the end is followed
 * @returns an absolute path whose directory has no links
 * @throws UsageError for a link that the container may have made, and for too many links
 */
export async function followHost(pathname: string, writable: Writable, last: boolean): Promise<string> {
  const roots = await Promise.all(writable.map((each) => realpath(each).catch(() => each)));
  let [done, rest] = ['/', path.resolve(pathname).split('/').filter(Boolean)];
  const theirs = new Set<string>();
  for (let links = 0; rest.length; ) {
    const [part = '', ...after] = rest;
    const at = path.join(done, part);
    const target = after.length || last ? await readLink(at) : undefined;
    if (target === undefined) {
      [done, rest] = [at, after];
      continue;
    }
    if (++links > MAX_LINKS) throw new UsageError(`too many levels of symbolic links: ${pathname}`, 'Use the path of the target.');
    const root = roots.find((each) => isWithin(done, each));
    if (root !== undefined) theirs.add(root);
    const whole = path.resolve(done, target, ...after);
    [done, rest] = ['/', whole.split('/').filter(Boolean)];
  }
  const left = [...theirs].find((root) => !isWithin(done, root));
  if (left !== undefined)
    throw new UsageError(
      `refusing to follow a symbolic link from ${pathname} to ${done}: the container can write to ${left}`,
      `The container may have made the link. To copy anyway, use the path ${done}.`,
    );
  return done;
}

async function readLink(pathname: string): Promise<string | undefined> {
  try {
    return (await lstat(pathname)).isSymbolicLink() ? await readlink(pathname) : undefined;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

function isWithin(pathname: string, directory: string): boolean {
  return pathname === directory || pathname.startsWith(directory === '/' ? directory : `${directory}/`);
}
