const [LEAST, BETWEEN] = [10, 3];

/**
 * Aligns cells that end with a tab, as Go's text/tabwriter does for Docker: a column spans consecutive lines that have it, is at least ten
 * characters wide, and is followed by three spaces.
 */
export function inColumns(lines: readonly string[]): string[] {
  const rows = lines.flatMap((line) => line.split('\n')).map((line) => line.split('\t'));
  const widths: number[][] = rows.map(() => []);
  const depth = Math.max(0, ...rows.map((row) => row.length - 1));
  for (let column = 0; column < depth; column++)
    for (let from = 0; from < rows.length; ) {
      let to = from;
      while (to < rows.length && column < (rows[to]?.length ?? 0) - 1) to++;
      const width = Math.max(LEAST, ...rows.slice(from, to).map((row) => [...(row[column] ?? '')].length + BETWEEN));
      for (let i = from; i < to; i++) (widths[i] as number[])[column] = width;
      from = Math.max(to, from + 1);
    }
  return rows.map((row, i) =>
    row.map((cell, column) => (column < row.length - 1 ? cell.padEnd(cell.length + (widths[i]?.[column] ?? 0) - [...cell].length) : cell)).join(''),
  );
}
