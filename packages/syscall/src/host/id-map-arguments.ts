import { type IdRange, rangesInside } from '../model/id-range.js';

/** Returns the arguments of newuidmap(1). Inside, 0 is the user's own id, and the ranges begin at 1. */
export function idMapArguments(pid: string, own: number, ranges: readonly IdRange[]): string[] {
  return [pid, 0, own, 1, ...rangesInside(ranges).flatMap(({ inside, start, count }) => [inside, start, count])].map(String);
}
