const [LEAST, BETWEEN] = [10, 3];

/**
 * Cells that end with a tab in columns, as Go's text/tabwriter makes them for Docker: a column goes on through lines that follow each other and have
 * it, is ten wide or more, and three spaces come before the next.
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
