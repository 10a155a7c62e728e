import type { TreeDifferences } from './tree-differences.js';

export interface VerifyOptions {
  /** Compare every byte; else only what was touched since it was unpacked. */
  readonly full: boolean;
  /** Replace what is damaged. */
  readonly repair: boolean;
}

/** What is wrong with a layer's tree. */
export interface LayerProblem {
  readonly problem: string;
  /** Where it is not what its blob says. */
  readonly differences?: TreeDifferences;
  readonly repaired: boolean;
}

/** How the trees of a stack are checked before they are used. */
export interface StackCheck extends VerifyOptions {
  /** Receives each tree that differs. @param id its chainID */
  readonly report: (id: string, problem: LayerProblem) => void;
}
