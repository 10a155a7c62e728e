import { shownPath } from './errors.js';
import type { Part } from './program/journal.js';

/** Returns the paths that steps put other objects at. */
export const replacedBy = (parts: readonly Pick<Part, 'source' | 'steps'>[]): readonly string[] =>
  parts.flatMap(({ source, steps }) => steps.flatMap((step) => (step.do === 'metadata' ? [] : [shownPath(source, step.name)])));
