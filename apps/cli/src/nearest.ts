import { distance } from 'fastest-levenshtein';

/**
 * Returns what somebody has most likely mistyped, if anything is really near: a slip in a short word, two in a longer one, or its beginning.
 * Another word that looks a bit alike would send them astray.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const slips = word.length < 2 ? 0 : word.length < 6 ? 1 : word.length < 10 ? 2 : 3;
  let best: string | undefined;
  let least = slips + 0.5;
  for (const candidate of candidates) {
    const d = isTransposed(word, candidate) ? 1 : distance(word, candidate);
    if (d < least) {
      least = d;
      best = candidate;
    }
  }
  if (best !== undefined || word.length < 3) return best;
  const begun = candidates.filter((each) => each.startsWith(word));
  return begun.length === 1 ? begun[0] : undefined;
}

/** Whether two neighbours have changed places, which is one slip of the fingers. */
function isTransposed(word: string, other: string): boolean {
  if (word.length !== other.length) return false;
  const at = [...word].findIndex((letter, i) => letter !== other[i]);
  return at >= 0 && word.slice(0, at) + word.charAt(at + 1) + word.charAt(at) + word.slice(at + 2) === other;
}
