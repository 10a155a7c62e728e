/** What one object of a tree has that it should not have, or the other way round. */
export interface TreeDifference {
  /** Below the tree, as `textOf` has it; `.` for its top. */
  readonly path: string;
  readonly what: string;
}

/** Differences of a tree, of which the first are told. */
export interface TreeDifferences {
  readonly count: number;
  readonly first: readonly TreeDifference[];
}
