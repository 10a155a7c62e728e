import { readdirSync } from 'node:fs';
import { ignoreMissing } from '@lamella/syscall';
import type { RunSpec } from '../../model/run-spec.js';
import type { WritableMount } from '../../model/writable-mount.js';

/**
 * The directories of a view of the host in which a container has changed nothing, by the paths in its spec. They come and go with the
 * machine: what is mounted there, or another user's directory in /tmp.
 */
export function untouchedOf(views: readonly WritableMount[], { host }: Pick<RunSpec, 'host'>): ReadonlySet<string> {
  // What is gone is not compared, and another directory may have replaced it.
  const changed = new Set(
    views.filter((view) => view.source !== undefined && (view.frozen.length > 0 || !isEmpty(view.upperdir))).map((view) => view.destination),
  );
  return new Set((host?.overlays ?? []).map((each) => each.path).filter((each) => !changed.has(each)));
}

/** Returns whether there is nothing in a directory. One that this user may not read counts as not empty. */
export function isEmpty(upperdir: string): boolean {
  try {
    return readdirSync(upperdir).length === 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return false;
    ignoreMissing(error as NodeJS.ErrnoException);
    return true;
  }
}
