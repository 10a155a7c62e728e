/** One line of the table: ours against something, and what was promised of it. */
export interface Row {
  readonly what: string;
  readonly ours: number;
  readonly against: string;
  readonly theirs: number;
  /** What the ratio must be: ours / theirs at most, or theirs / ours at least. Undefined where nothing was promised. */
  readonly target?: { readonly atMost: number } | { readonly timesFaster: number };
  readonly unit: 'ms' | 'MB';
}

/** What was not measured, and why. */
export interface Skipped {
  readonly what: string;
  readonly reason: string;
}

export function format(row: Row): string {
  const ratio = row.ours / row.theirs;
  const number = (value: number): string => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));
  if (!row.target) return `| ${row.what} | ${number(row.ours)} ${row.unit} | ${row.against} | ${number(row.theirs)} ${row.unit} | ${ratio.toFixed(2)} × | | |`;
  const [shown, target, holds] =
    'atMost' in row.target
      ? [`${ratio.toFixed(2)} ×`, `≤ ${row.target.atMost} ×`, ratio <= row.target.atMost]
      : [`${(1 / ratio).toFixed(1)} × faster`, `≥ ${row.target.timesFaster} × faster`, 1 / ratio >= row.target.timesFaster];
  return `| ${row.what} | ${number(row.ours)} ${row.unit} | ${row.against} | ${number(row.theirs)} ${row.unit} | ${shown} | ${target} | ${holds ? 'yes' : '**no**'} |`;
}
