import type { ContainerChange } from '@lamella/engine';

/** A change since the setup: of an object, not of its content in particular. */
export interface ChangeSince {
  readonly kind: ContainerChange['kind'];
  readonly path: string;
}

/** What is the same of an object as long as nobody touches it. Times of directories change with what is in them. */
function stateOf({ kind, after, compared }: ContainerChange): string {
  const { mtimeSeconds, mtimeNanoseconds, ctimeSeconds, ctimeNanoseconds } = compared.upper ?? {};
  const times = after?.type === 'directory' ? [] : [mtimeSeconds, mtimeNanoseconds, ctimeSeconds, ctimeNanoseconds];
  const { links: _, ...state } = after ?? {};
  return JSON.stringify([kind, state, times]);
}

/**
 * Returns what is different between two lists of changes since the image: one after the setup, one now. Sorted by path.
 *
 * @param setup what the setup changed
 * @param now what has been changed since the image, by the setup, too
 */
export function changesSince(setup: readonly ContainerChange[], now: readonly ContainerChange[]): ChangeSince[] {
  const before = new Map(setup.map((change) => [change.path, change]));
  const after = new Map(now.map((change) => [change.path, change]));
  const changed = now.flatMap((change): ChangeSince[] => {
    const had = before.get(change.path);
    if (!had) return [{ kind: change.kind, path: change.path }];
    if (stateOf(had) === stateOf(change)) return [];
    const kind = change.kind === 'deleted' ? 'deleted' : had.kind === 'deleted' ? 'added' : 'modified';
    return [{ kind, path: change.path }];
  });
  // What the setup changed and is as in the image again.
  const undone = setup.flatMap(({ kind, path }): ChangeSince[] =>
    after.has(path) ? [] : [{ kind: kind === 'added' ? 'deleted' : kind === 'deleted' ? 'added' : 'modified', path }],
  );
  return [...changed, ...undone].toSorted((one, other) => (one.path < other.path ? -1 : 1));
}
