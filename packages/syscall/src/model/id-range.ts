/** A range of subordinate ids of a user (subuid(5)). */
export interface IdRange {
  readonly start: number;
  readonly count: number;
}

/** Returns the ranges with the first id that each has inside the user namespace. */
export function rangesInside(ranges: readonly IdRange[]): (IdRange & { readonly inside: number })[] {
  let inside = 1;
  return ranges.map((range) => {
    const placed = { ...range, inside };
    inside += range.count;
    return placed;
  });
}
