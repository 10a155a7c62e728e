/** What one object of a tree has that it should not have, or the other way round. */
export interface TreeDifference {
  /** Below the tree, as `textOf` has it; `.` for its top. */
  readonly path: string;
  readonly what: string;
}

/** Differences of a tree: their number, and the first of them. */
export interface TreeDifferences {
  readonly count: number;
  readonly first: readonly TreeDifference[];
}
