import { joined, type Printable, printable, type Shown } from './printable.js';

/** Returns rows as aligned columns, two spaces apart. Cells are escaped. */
export function table(header: readonly string[], rows: readonly (readonly Shown[])[]): Printable[] {
  const cells = rows.map((row) => row.map(printable));
  const widths = header.map((name, column) => Math.max(name.length, ...cells.map((row) => row[column]?.plain.length ?? 0)));
  return [header.map(printable), ...cells].map((row) => {
    // Empty cells at the end of a row get no spaces.
    const used = row.slice(0, row.findLastIndex(({ plain }) => plain !== '') + 1);
    return joined(
      used.map((cell, column) => (column < used.length - 1 ? joined([cell, ''.padEnd((widths[column] ?? 0) - cell.plain.length)], '') : cell)),
      '  ',
    );
  });
}
