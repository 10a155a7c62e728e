import path from 'node:path';

/** Whether a path requires a directory: it ends with a slash, or with `/.`. */
export function assertsDirectory(pathname: string): boolean {
  return /\/\.?$/.test(pathname) || pathname === '.';
}

/** Whether a path means the content of a directory: it ends with `/.`. */
function meansContent(pathname: string): boolean {
  return /(?:^|\/)\.$/.test(pathname);
}

/** Returns the name of a copy: `.` for the content of a directory, and for the root. */
export function entryName(pathname: string): string {
  return meansContent(pathname) ? '.' : path.posix.basename(path.posix.resolve('/', pathname)) || '.';
}

/** The destination of a copy. */
export interface Destination {
  /** The given path, or the target of a link at its end. */
  readonly pathname: string;
  /** The type of an existing file. */
  readonly state: 'directory' | 'other' | 'nothing';
}

/** The directory into which a copy is unpacked, and its name there. */
export interface Placed {
  readonly directory: string;
  readonly name: string;
}

/**
 * Decides where a copy goes, by the rules of docker-cp(1): into an existing directory under its own name; otherwise under the name of the destination.
 *
 * @param source the name of the copy in a directory
 * @returns the place, or why the copy is impossible
 */
export function placeCopy(source: string, isDirectory: boolean, { pathname, state }: Destination): Placed | 'not-a-directory' {
  if (state === 'directory') return { directory: pathname, name: source };
  // A directory cannot replace a file, and a file cannot become a directory.
  if (isDirectory ? state === 'other' : assertsDirectory(pathname)) return 'not-a-directory';
  // Only the end is removed: a `..` on the way depends on the links before it.
  const at = pathname.replace(/(?:\/\.?)+$/, '');
  const slash = at.lastIndexOf('/');
  const name = at.slice(slash + 1);
  return name === '' || name === '..' ? { directory: pathname, name: source } : { directory: at.slice(0, slash) || '/', name };
}
