/**
 * Returns the name that was most likely meant, if one is really close: one typo in a short word, two or three in a longer one, or a
 * prefix. Case does not count.
 */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const word = name.toLowerCase();
  const slips = word.length < 2 ? 0 : word.length < 6 ? 1 : word.length < 10 ? 2 : 3;
  let best: string | undefined;
  let least = slips + 0.5;
  for (const each of known) {
    const distance = slipsBetween(word, each.toLowerCase());
    if (distance < least) [best, least] = [each, distance];
  }
  if (best !== undefined || word.length < 3) return best;
  // `max` for `maxBuffer`.
  const begun = known.filter((each) => each.toLowerCase().startsWith(word));
  return begun.length === 1 ? begun[0] : undefined;
}

/** Returns the optimal string alignment distance: insertions, deletions, substitutions and transpositions. */
function slipsBetween(a: string, b: string): number {
  let [before, row]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (before[j - 2] ?? 0) + 1);
      next.push(least);
    }
    [before, row] = [row, next];
  }
  return row[b.length] ?? a.length;
}
