/**
 * Returns the name among `known` that `name` was probably meant to be: the one that differs in the fewest letters, letters exchanged with their
 * neighbour counting once, and in no more than a third of them.
 */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const word = name.toLowerCase();
  let best: string | undefined;
  let least = Math.max(1, Math.floor(Math.max(word.length, 3) / 3)) + 1;
  for (const each of known) {
    const candidate = each.toLowerCase();
    const differs = edits(word, candidate);
    // A name that begins as another one does was shortened: `max` for `maxBuffer`.
    const distance = Math.min(differs, word.length >= 3 && (candidate.startsWith(word) || word.startsWith(candidate)) ? 2 : differs);
    if (distance < least) [best, least] = [each, distance];
  }
  return best;
}

/** The optimal string alignment distance: insertions, deletions, substitutions, and exchanges of neighbours. */
function edits(a: string, b: string): number {
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
