/** For what may be gone before it is looked at: nothing then. */
export function absent(error: NodeJS.ErrnoException): undefined {
  // A process that ends makes its files in /proc answer ESRCH.
  if (['ENOENT', 'ENOTDIR', 'ESRCH', 'EACCES'].includes(error.code ?? '')) return undefined;
  throw error;
}
