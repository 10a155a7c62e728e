import { distance } from 'fastest-levenshtein';

/** What somebody probably meant, if anything is near enough. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(word.length / 2)) + 0.5;
  for (const candidate of candidates) {
    const d = distance(word, candidate);
    if (d < least) {
      least = d;
      best = candidate;
    }
  }
  return best;
}
