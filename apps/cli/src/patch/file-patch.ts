import { hash } from 'node:crypto';
import { gitBinary } from './git-binary.js';
import { gitName } from './git-name.js';
import { hunksOf } from './hunks.js';

/** A file or a symbolic link, as git stores it. */
export interface GitObject {
  readonly mode: '100644' | '100755' | '120000';
  /** The content of a file, or the target of a link. */
  readonly content: Buffer;
}

/**
 * Returns the output of `git diff` for one path; empty if git sees no difference. A change of type is a deletion and an addition. So is a
 * rename.
 *
 * @param name bytes, as latin1, without the first slash
 * @param binary how content with NUL bytes is written: as git's binary patch, or as one line for people
 * @returns latin1
 */
export async function filePatch(name: string, before: GitObject | undefined, after: GitObject | undefined, binary: 'patch' | 'line'): Promise<string> {
  if (before && after && isLink(before) !== isLink(after))
    return `${await filePatch(name, before, undefined, binary)}${await filePatch(name, undefined, after, binary)}`;
  if (!before && !after) return '';
  const [old, now] = [before?.content ?? NOTHING, after?.content ?? NOTHING];
  const changed = !before || !after || !old.equals(now);
  if (!changed && before.mode === after.mode) return '';
  // GNU patch ignores a blank at the end of a name.
  const [a, b] = [gitName(`a/${name}`, name.endsWith(' ')), gitName(`b/${name}`, name.endsWith(' '))];
  const header = (ends: readonly [string, string]): string => `diff --git ${ends.join(' ')}\n${modes(before, after)}`;
  // Without the lines --- and +++ GNU patch takes the names from here, where blanks end them.
  const alone = header([gitName(`a/${name}`, name.includes(' ')), gitName(`b/${name}`, name.includes(' '))]);
  if (!changed) return alone;
  const isBinary = old.includes(0) || now.includes(0);
  // A binary patch applies only to the content of the full index.
  const [oldId, newId] = [idOf(before), idOf(after)].map((id) => (isBinary && binary === 'patch' ? id : id.slice(0, 7)));
  const index = `index ${oldId}..${newId}${before && before.mode === after?.mode ? ` ${before.mode}` : ''}\n`;
  if (isBinary && binary === 'patch') return `${header([a, b])}${index}${gitBinary(old, now)}`;
  const [from, to] = [before ? a : '/dev/null', after ? b : '/dev/null'];
  if (isBinary) return `${header([a, b])}${index}Binary files ${from} and ${to} differ\n`;
  const hunks = await hunksOf(old.toString('latin1'), now.toString('latin1'));
  return hunks ? `${header([a, b])}${index}--- ${ended(from)}\n+++ ${ended(to)}\n${hunks}` : `${alone}${index}`;
}

const NOTHING = Buffer.alloc(0);

function isLink({ mode }: GitObject): boolean {
  return mode === '120000';
}

function modes(before: GitObject | undefined, after: GitObject | undefined): string {
  if (!before) return after ? `new file mode ${after.mode}\n` : '';
  if (!after) return `deleted file mode ${before.mode}\n`;
  return before.mode === after.mode ? '' : `old mode ${before.mode}\nnew mode ${after.mode}\n`;
}

/** Returns the object name of a blob. */
function idOf(object: GitObject | undefined): string {
  if (!object) return '0'.repeat(40);
  return hash('sha1', Buffer.concat([Buffer.from(`blob ${object.content.length}\0`), object.content]));
}

/** Ends a name that has blanks with a TAB, as git does for GNU patch. */
function ended(name: string): string {
  return name.includes(' ') ? `${name}\t` : name;
}
