import type { ContainerChange, Contents } from '@lamella/engine';
import { structuredPatch } from 'diff';
import { textContent } from '../changes/change-text.js';

/** A line of a file, by its number. */
interface Line {
  readonly number: number;
  readonly text: string;
}

/** A line before and after a change; `null` if it does not exist. */
interface Row {
  readonly before: Line | null;
  readonly after: Line | null;
}

/** The difference of a change, for the page. */
export type Difference =
  | { readonly kind: 'text'; readonly hunks: readonly (readonly Row[])[] }
  /** A difference that cannot be shown as text. */
  | { readonly kind: 'other'; readonly reason: 'binary' | 'same' | 'no-content' | 'too-different' };

/** Maximum time for the difference of a file. Two files with nothing in common would take far longer. */
const MILLISECONDS = 2000;

/** Returns the lines of a file before and after a change side by side, with three lines of context. */
export function sideBySide({ before, after }: ContainerChange, contents: Contents | undefined): Difference {
  const hasContent = [before, after].some((object) => object?.type === 'file' || object?.type === 'symlink');
  if (!hasContent) return { kind: 'other', reason: 'no-content' };
  const plain = (object: typeof after): typeof after => (object?.type === 'file' || object?.type === 'symlink' ? object : undefined);
  const [old, now] = [textContent(plain(before), contents?.before), textContent(plain(after), contents?.after)];
  if (old === undefined || now === undefined) return { kind: 'other', reason: 'binary' };
  if (old === now) return { kind: 'other', reason: old ? 'same' : 'no-content' };
  const patch = structuredPatch('', '', old, now, undefined, undefined, { context: 3, timeout: MILLISECONDS });
  if (!patch) return { kind: 'other', reason: 'too-different' };
  return { kind: 'text', hunks: patch.hunks.map(({ oldStart, newStart, lines }) => rowsOf(lines, oldStart, newStart)) };
}

/** Returns the rows of a hunk. Deleted lines are beside the added lines that replace them. */
function rowsOf(lines: readonly string[], oldStart: number, newStart: number): Row[] {
  const rows: Row[] = [];
  let [old, now] = [oldStart, newStart];
  let gone: Line[] = [];
  let come: Line[] = [];
  const flush = (): void => {
    for (let i = 0; i < Math.max(gone.length, come.length); i++) rows.push({ before: gone[i] ?? null, after: come[i] ?? null });
    gone = [];
    come = [];
  };
  for (const line of lines) {
    const text = line.slice(1);
    if (line.startsWith('-')) gone.push({ number: old++, text });
    else if (line.startsWith('+')) come.push({ number: now++, text });
    else if (line.startsWith(' ')) {
      flush();
      rows.push({ before: { number: old++, text }, after: { number: now++, text } });
    }
    // The remaining kind of line marks a missing newline at the end.
  }
  flush();
  return rows;
}
