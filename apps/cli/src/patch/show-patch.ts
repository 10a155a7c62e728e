import type { ContainerChange, Contents } from '@lamella/engine';
import { visibleBytes } from '@lamella/syscall';
import { shownPath } from '../changes/describe-change.js';
import { asIs, type Printable, styled, text } from '../output/printable.js';
import { patchOf } from './change-patch.js';

/** Maximum bytes of a file whose difference is shown. */
export const SHOWN_LIMIT: number = 1 << 20;

/** Returns the patch of a change for people, in colors and with control characters escaped. */
export async function showPatch(change: ContainerChange, contents: Contents | undefined): Promise<Printable[]> {
  const { text: patch, omitted } = await patchOf(change, contents, 'line');
  const lines = patch.split('\n').slice(0, -1);
  let inHunks = false;
  const shown = lines.map((line) => {
    if (line.startsWith('diff --git ')) inHunks = false;
    else if (line.startsWith('@@')) inHunks = true;
    // Lines of a file begin with a mark, so they cannot look like a header.
    return colored(asIs(visibleBytes(Buffer.from(line, 'latin1'))), inHunks ? line.charAt(0) : 'header');
  });
  return [...shown, ...omitted.map((each) => styled('dim', text`${shownPath(change.path)}: ${each}`))];
}

function colored(line: Printable, kind: string): Printable {
  switch (kind) {
    case 'header':
      return styled('bold', line);
    case '@':
      return styled('cyan', line);
    case '+':
      return styled('green', line);
    case '-':
      return styled('red', line);
    default:
      return line;
  }
}
