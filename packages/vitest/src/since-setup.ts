import type { ContainerChange } from '@lamella/engine';

/** One line of the report on a test that failed. */
export interface Reported extends Pick<ContainerChange, 'kind' | 'path' | 'aspects'> {}

/**
 * What a test did, of the changes that its container had at the end and those that it began with: both are changes of the image.
 *
 * @param before by the setup
 * @param after by the setup and the test
 */
export function sinceSetup(before: readonly ContainerChange[], after: readonly ContainerChange[]): readonly Reported[] {
  const then = new Map(before.map((change) => [change.path, change]));
  const now = new Set(after.map(({ path }) => path));
  const done = after.flatMap((change): readonly Reported[] => {
    const was = then.get(change.path);
    if (!was) return [change];
    if (isSame(was, change)) return [];
    // What the setup removed is there again; what it made is another one, or is gone.
    if (was.kind === 'deleted') return [{ ...change, kind: 'added', aspects: [] }];
    return [{ path: change.path, kind: change.kind === 'deleted' ? 'deleted' : 'modified', aspects: change.kind === 'modified' ? change.aspects : [] }];
  });
  // The same as in the image again: of that nothing is told any more.
  const undone = before.flatMap(({ path, kind }): readonly Reported[] =>
    now.has(path) ? [] : [{ path, kind: kind === 'added' ? 'deleted' : kind === 'deleted' ? 'added' : 'modified', aspects: [] }],
  );
  return [...done, ...undone].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** Whether both tell of the same object. Of a directory the names in it are told by themselves. */
function isSame(a: ContainerChange, b: ContainerChange): boolean {
  if (a.kind !== b.kind || JSON.stringify(a.after) !== JSON.stringify(b.after)) return false;
  if (a.after?.type === 'directory' || a.after === undefined) return true;
  return JSON.stringify(identityOf(a)) === JSON.stringify(identityOf(b));
}

/** What changes with each change of a file; forks have the very file of the setup until they write. */
function identityOf({ compared: { upper } }: ContainerChange): unknown {
  return upper && [upper.mode, upper.size, upper.mtimeSeconds, upper.mtimeNanoseconds, upper.ctimeSeconds, upper.ctimeNanoseconds, upper.target];
}
