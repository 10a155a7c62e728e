import { accessSync, constants } from 'node:fs';
import { type Change, type ChangesOptions, changesOf } from '@lamella/overlay';
import { isEmpty } from '../sources/untouched.js';
import type { CheckedView } from '../views.js';

/** What a container changed: one object of one of its views. */
export interface ContainerChange extends Change {
  /** The view it is in, see {@link StoredContainer.views}. */
  readonly view: CheckedView;
}

/**
 * What was changed in some views, view by view, each sorted by path. Paths are those inside the container.
 *
 * @param mountPoints where something else is mounted inside
 * @throws SyscallError when a directory is missing
 */
export async function* changesIn(views: readonly CheckedView[], mountPoints: readonly string[], options: ChangesOptions = {}): AsyncGenerator<ContainerChange> {
  // What was made for a mount is not the command's doing.
  const ours = new Set(mountPoints.flatMap(withParents));
  for (const view of views) {
    // A look costs microseconds, and a comparison a process.
    if (!view.frozen.length && isEmpty(view.upperdir)) continue;
    // Where this user may not look, the container could not write.
    if (view.source !== undefined && !isReadable(view.source)) continue;
    const below = view.destination === '/' ? '' : view.destination;
    for await (const change of changesOf(view, options)) {
      const path = `${below}${change.path}`;
      if (!(change.kind === 'added' && ours.has(path) && change.after?.size === 0))
        yield { ...change, path, view, ...(change.renamed === undefined ? {} : { renamed: `${below}${change.renamed}` }) };
    }
  }
}

function isReadable(directory: string): boolean {
  try {
    accessSync(directory, constants.R_OK | constants.X_OK);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return false;
    throw error;
  }
}

function withParents(pathname: string): string[] {
  const parts = pathname.split('/').filter(Boolean);
  return parts.map((_, i) => `/${parts.slice(0, i + 1).join('/')}`);
}
