import type { TreeDifferences } from './tree-differences.js';

export interface VerifyOptions {
  /** Compare every byte; else only what was touched since it was unpacked. */
  readonly full: boolean;
  /** Put what is right in the place of what is not. */
  readonly repair: boolean;
}

/** What is wrong with a layer's tree. */
export interface LayerProblem {
  readonly problem: string;
  /** Where it is not what its blob says. */
  readonly differences?: TreeDifferences;
  readonly repaired: boolean;
}

/** How what was made for a stack is looked at before it is taken. */
export interface StackCheck extends VerifyOptions {
  /** Told of each tree that is not what it should be. @param id its chainID */
  readonly report: (id: string, problem: LayerProblem) => void;
}
