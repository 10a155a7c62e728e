import { styleText } from 'node:util';
import type { ContainerChange, Contents } from '@lamella/engine';
import { printable } from './describe-change.js';
import { textOf } from './text-of.js';

/**
 * A change as git(1) writes it: the difference of text files, and one line about what is not text. Nothing for
 * a directory.
 */
export async function patchOf({ kind, path, before, after }: ContainerChange, contents: Contents | undefined): Promise<string | undefined> {
  const name = printable(path);
  const mode = (object: typeof after): string => `${object?.type === 'symlink' ? '12' : '10'}${(object?.mode ?? 0).toString(8).padStart(4, '0')}`;
  if ((after ?? before)?.type === 'directory' && (kind !== 'modified' || before?.type === 'directory')) return undefined;
  const header = [
    `diff --git a${name} b${name}`,
    ...(kind === 'added' ? [`new file mode ${mode(after)}`] : []),
    ...(kind === 'deleted' ? [`deleted file mode ${mode(before)}`] : []),
    ...(kind === 'modified' && before?.mode !== after?.mode ? [`old mode ${mode(before)}`, `new mode ${mode(after)}`] : []),
  ].map((each) => styleText('bold', each));
  const [old, now] = [textOf(before, contents?.before), textOf(after, contents?.after)];
  if (old === undefined || now === undefined)
    return [...header, `Binary files ${before ? `a${name}` : '/dev/null'} and ${after ? `b${name}` : '/dev/null'} differ`].join('\n');
  if (old === now) return header.length > 1 ? header.join('\n') : undefined;
  const { createTwoFilesPatch, FILE_HEADERS_ONLY } = await import('diff');
  const made = createTwoFilesPatch(before ? `a${name}` : '/dev/null', after ? `b${name}` : '/dev/null', old, now, undefined, undefined, {
    headerOptions: FILE_HEADERS_ONLY,
  });
  return [...header, ...made.trimEnd().split('\n').map(colored)].join('\n');
}

function colored(line: string): string {
  if (line.startsWith('---') || line.startsWith('+++')) return styleText('bold', line);
  if (line.startsWith('@@')) return styleText('cyan', line);
  if (line.startsWith('+')) return styleText('green', line);
  return line.startsWith('-') ? styleText('red', line) : line;
}
