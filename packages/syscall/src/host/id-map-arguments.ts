import { type IdRange, rangesInside } from '../model/id-range.js';

/** The words of newuidmap(1): inside, 0 is the user's own id, and from 1 on come the ranges. */
export function idMapArguments(pid: string, own: number, ranges: readonly IdRange[]): string[] {
  return [pid, 0, own, 1, ...rangesInside(ranges).flatMap(({ inside, start, count }) => [inside, start, count])].map(String);
}
