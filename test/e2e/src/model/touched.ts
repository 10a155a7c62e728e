import type { Operation } from './operation.js';
import type { Looked } from './tree.js';

/**
 * Returns whether two lots of operations cannot have met: they name different entries of the top, no file has names in both of these, and there is
 * no symbolic link, which could lead from one to the other. Then neither is a reason to refuse the other. Within one entry of the top a refusal
 * may be right though no name was changed twice: a directory can be in doubt.
 *
 * @param looked all states that the tree was in
 */
export function areApart(some: readonly Operation[], others: readonly Operation[], looked: readonly Looked[]): boolean {
  if ([...some, ...others].some((each) => each.do === 'symlink')) return false;
  if (looked.some(({ tree }) => [...tree.values()].some((line) => line.startsWith('symlink ')))) return false;
  const [mine, theirs] = [topsOf(some, looked), topsOf(others, looked)];
  return [...mine].every((top) => !theirs.has(top));
}

const topOf = (name: string): string => name.split('/')[0] ?? '';

/** The entries of the top that operations may have touched, also by another name of a file. */
function topsOf(some: readonly Operation[], looked: readonly Looked[]): ReadonlySet<string> {
  const tops = new Set(some.flatMap((each) => [topOf(each.at), ...('from' in each ? [topOf(each.from)] : [])]));
  for (let size = -1; size !== tops.size; ) {
    size = tops.size;
    for (const { linked } of looked) for (const [name, others] of linked) if (tops.has(topOf(name))) for (const other of others) tops.add(topOf(other));
  }
  return tops;
}
