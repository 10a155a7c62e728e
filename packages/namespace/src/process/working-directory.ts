import { NamespaceError } from '../model/namespace-error.js';

/** Returns the working directory of a process. Default: the root. @throws NamespaceError `CWD_INVALID` for a relative path */
export function workingDirectory(cwd: string = '/'): string {
  if (!cwd.startsWith('/'))
    throw new NamespaceError({ code: 'CWD_INVALID', message: `the working directory '${cwd}' is not an absolute path`, hint: 'Write /path/inside.' });
  return cwd;
}
