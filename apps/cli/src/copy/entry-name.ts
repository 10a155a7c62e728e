import path from 'node:path';

/** Whether a path says that it is a directory: it ends with a slash, or with `/.`. */
export function assertsDirectory(pathname: string): boolean {
  return /\/\.?$/.test(pathname) || pathname === '.';
}

/** Whether a path is that of what is in a directory: it ends with `/.`. */
function meansContent(pathname: string): boolean {
  return /(?:^|\/)\.$/.test(pathname);
}

/** What the copy of a path is called: `.` for what is in a directory, and for all of the root. */
export function entryName(pathname: string): string {
  return meansContent(pathname) ? '.' : path.posix.basename(path.posix.resolve('/', pathname)) || '.';
}

/** Where a copy goes. */
export interface Destination {
  /** As it was asked for, or where a link at its end leads. */
  readonly pathname: string;
  /** What is there. */
  readonly state: 'directory' | 'other' | 'nothing';
}

/** A directory that a copy is unpacked into, and what it is called there. */
export interface Placed {
  readonly directory: string;
  readonly name: string;
}

/**
 * Decides where a copy goes, by the rules of docker-cp(1): into a directory by its own name; else its new name is that of the destination.
 *
 * @param source what the copy would be called in a directory
 * @returns why not, if it cannot go there
 */
export function placeCopy(source: string, isDirectory: boolean, { pathname, state }: Destination): Placed | 'not-a-directory' {
  if (state === 'directory') return { directory: pathname, name: source };
  // Neither becomes a directory a file, nor does a file become one.
  if (isDirectory ? state === 'other' : assertsDirectory(pathname)) return 'not-a-directory';
  // Only the end is taken off: where a `..` on the way leads depends on the links before it.
  const at = pathname.replace(/(?:\/\.?)+$/, '');
  const slash = at.lastIndexOf('/');
  const name = at.slice(slash + 1);
  return name === '' || name === '..' ? { directory: pathname, name: source } : { directory: at.slice(0, slash) || '/', name };
}
