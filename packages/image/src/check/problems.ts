import type { TreeDifferences } from '../model/tree-differences.js';

/** What is damaged: a part of an image, the store's own books, or what a killed command left. */
export type ProblemKind = 'store' | 'index' | 'image' | 'blob' | 'layer' | 'leftover';

/** One damage of a store, and what was done about it. */
export interface StoreProblem {
  readonly kind: ProblemKind;
  /** The digest, diffID, name, or file. */
  readonly what: string;
  readonly problem: string;
  /** Files of a layer that are not what they should be; the first of them. */
  readonly differences?: TreeDifferences;
  /** What was done about it; undefined when nothing was, or could be. */
  readonly repaired?: string;
  /** What the user can do where nothing was. */
  readonly hint?: string;
}

/** Problems as they are found: each thing once. */
export class Problems {
  readonly #found = new Map<string, StoreProblem>();

  add(problem: StoreProblem): void {
    const key = `${problem.kind} ${problem.what} ${problem.problem}`;
    if (!this.#found.has(key)) this.#found.set(key, problem);
  }

  /** What was found before is repaired now. */
  settle(repaired: string, which: (problem: StoreProblem) => boolean): void {
    for (const [key, problem] of this.#found) {
      if (problem.repaired !== undefined || !which(problem)) continue;
      const { hint: _, ...rest } = problem;
      this.#found.set(key, { ...rest, repaired });
    }
  }

  get all(): readonly StoreProblem[] {
    return [...this.#found.values()];
  }
}
