import type { StructuredPatchHunk } from 'diff';

const NO_NEWLINE = '\\ No newline at end of file\n';
/** Maximum added and deleted lines of the search for the shortest difference, whose time grows with their square. */
const EDITS = 4000;

/**
 * Returns the hunks of a unified diff with three lines of context, as git(1) writes them. Contents with little in common are replaced in
 * one hunk.
 *
 * @param before latin1, as `after`, so that every byte is kept
 */
export async function hunksOf(before: string, after: string): Promise<string> {
  if (before === after) return '';
  // With an empty side the library need not be loaded.
  if (!before || !after) return wholeHunk(before, after);
  const { structuredPatch } = await import('diff');
  const patch = structuredPatch('', '', before, after, undefined, undefined, { context: 3, maxEditLength: EDITS });
  return patch ? patch.hunks.map(hunk).join('') : wholeHunk(before, after);
}

function hunk({ oldStart, oldLines, newStart, newLines, lines }: StructuredPatchHunk): string {
  return `${header(oldStart, oldLines, newStart, newLines)}${lines.join('\n')}\n`;
}

/** Returns one hunk that replaces the whole content. */
function wholeHunk(before: string, after: string): string {
  const [old, now] = [marked(before, '-'), marked(after, '+')];
  return `${header(1, old.count, 1, now.count)}${old.text}${now.text}`;
}

/** Returns the lines of a content with a mark before each. */
function marked(content: string, mark: string): { readonly text: string; readonly count: number } {
  if (!content) return { text: '', count: 0 };
  const lines = content.split('\n');
  const complete = lines.at(-1) === '';
  if (complete) lines.pop();
  return { text: `${mark}${lines.join(`\n${mark}`)}\n${complete ? '' : NO_NEWLINE}`, count: lines.length };
}

/** Returns the header of a hunk. An empty range has the number of the line before it. */
function header(oldStart: number, oldLines: number, newStart: number, newLines: number): string {
  return `@@ -${range(oldStart, oldLines)} +${range(newStart, newLines)} @@\n`;
}

function range(start: number, count: number): string {
  return count === 1 ? `${start}` : `${count ? start : start - 1},${count}`;
}
