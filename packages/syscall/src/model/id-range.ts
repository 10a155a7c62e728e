/** Ids of the host that belong to a user beside its own (subuid(5)). */
export interface IdRange {
  readonly start: number;
  readonly count: number;
}

/** The ranges, and where they begin inside. */
export function rangesInside(ranges: readonly IdRange[]): (IdRange & { readonly inside: number })[] {
  let inside = 1;
  return ranges.map((range) => {
    const placed = { ...range, inside };
    inside += range.count;
    return placed;
  });
}
