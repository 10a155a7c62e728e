import path from 'node:path';

/** Whether a path matches a pattern: a path or a glob of the file, or of a directory above it. */
export function matchesPath(pathname: string, pattern: string): boolean {
  // Every path is below the root.
  if (pattern === '/') return true;
  for (let each = pathname; each !== '/'; each = path.posix.dirname(each)) if (path.posix.matchesGlob(each, pattern.replace(/(?<=.)\/+$/, ''))) return true;
  return false;
}
