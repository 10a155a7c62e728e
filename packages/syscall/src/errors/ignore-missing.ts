/**
 * Returns undefined for the error of a file that does not exist; a handler for `catch`.
 *
 * @throws all other errors
 */
export function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
  throw error;
}
