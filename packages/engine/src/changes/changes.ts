import { accessSync, constants, mkdirSync } from 'node:fs';
import { type Change, type ChangesOptions, changesOf } from '@lamella/overlay';
import { isEmpty } from '../filesystem/sources/unchanged-overlays.js';
import { aboveNothing } from '../filesystem/writable-mounts.js';
import type { CheckedMount } from '../model/writable-mount.js';

/** What a container changed: one object of one of its views. */
export interface ContainerChange extends Change {
  /** The view it is in, see {@link StoredContainer.writableMounts}. */
  readonly view: CheckedMount;
}

/**
 * What was changed in some views, view by view, each sorted by path. Paths are those inside the container.
 *
 * @param mountPoints where something else is mounted inside
 * @throws SyscallError when a directory is missing
 */
export async function* changesIn(
  views: readonly CheckedMount[],
  mountPoints: readonly string[],
  options: ChangesOptions = {},
): AsyncGenerator<ContainerChange> {
  // What was made for a mount is not the command's doing.
  const ours = new Set(mountPoints.flatMap(withParents));
  for (const each of views) {
    let view = each;
    // A look costs microseconds, and a comparison a process.
    if (!view.frozen.length && isEmpty(view.upperdir)) continue;
    // Where this user may not look, the container could not write.
    const source = view.source === undefined ? 'readable' : accessTo(view.source);
    if (source === 'closed') continue;
    if (source === 'gone') view = { ...aboveNothing(view), given: undefined, expected: {} };
    if (view.gone !== undefined) for (const nothing of view.lowerdirs) mkdirSync(nothing, { recursive: true });
    const below = view.destination === '/' ? '' : view.destination;
    for await (const change of changesOf(view, options)) {
      const at = `${below}${change.path}`;
      if (!(change.kind === 'added' && ours.has(at) && change.after?.size === 0))
        yield { ...change, path: at, view, ...(change.renamed === undefined ? {} : { renamed: `${below}${change.renamed}` }) };
    }
  }
}

function accessTo(directory: string): 'readable' | 'closed' | 'gone' {
  try {
    accessSync(directory, constants.R_OK | constants.X_OK);
    return 'readable';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES') return 'closed';
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'gone';
    throw error;
  }
}

function withParents(pathname: string): string[] {
  const parts = pathname.split('/').filter(Boolean);
  return parts.map((_, i) => `/${parts.slice(0, i + 1).join('/')}`);
}
