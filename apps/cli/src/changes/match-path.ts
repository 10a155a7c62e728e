import path from 'node:path';

/** A pattern is a path, or a glob, of an object or of a directory that it is in. */
export function matchesPath(pathname: string, pattern: string): boolean {
  // Everything is in it.
  if (pattern === '/') return true;
  for (let each = pathname; each !== '/'; each = path.posix.dirname(each)) if (path.posix.matchesGlob(each, pattern.replace(/(?<=.)\/+$/, ''))) return true;
  return false;
}
