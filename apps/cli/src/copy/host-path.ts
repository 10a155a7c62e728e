import { lstat, readlink, realpath } from 'node:fs/promises';
import path from 'node:path';
import { UsageError } from '../errors/usage-error.js';

/** Directories of the host that the container at hand can write to. */
export type Writable = readonly string[];

/** As many links as the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * Follows the links of a path of the host. A link in a directory that the container can write to may be the container's, which must
 * not decide where its files go, or what it is given: it is followed only to what is in the same directory.
 *
 * @param pathname absolute; parts of it may be missing
 * @param last whether a link at its end is followed, too
 * @returns absolute path; its directory has no links
 * @throws UsageError for a link that the container may have made, and for links in a circle
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
    if (++links > MAX_LINKS) throw new UsageError(`links lead from ${pathname} in a circle`, 'Name the path that is meant.');
    const root = roots.find((each) => isWithin(done, each));
    if (root !== undefined) theirs.add(root);
    const whole = path.resolve(done, target, ...after);
    [done, rest] = ['/', whole.split('/').filter(Boolean)];
  }
  const left = [...theirs].find((root) => !isWithin(done, root));
  if (left !== undefined)
    throw new UsageError(
      `a link in ${left}, which the container can write to, leads from ${pathname} to ${done}`,
      'The container may have made it. If that is the path that you mean, name it.',
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
