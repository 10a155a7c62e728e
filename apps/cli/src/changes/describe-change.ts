import type { ContainerChange } from '@lamella/engine';
import { visible } from '@lamella/syscall';
import { asIs, joined, type Printable, styled, text } from '../output/printable.js';
import { bytes } from '../output/units.js';
import { ChangeTally } from './change-tally.js';

const LETTERS = { added: 'A', modified: 'M', deleted: 'D' } as const;
const COLORS = { added: 'green', modified: 'yellow', deleted: 'red' } as const;

/** Returns a path or a link's target for a list: in one line, with doubled backslashes, and with invalid UTF-8 as escapes. */
export function shownPath(path: string): Printable {
  return asIs(visible(path, { backslash: true }));
}

/** Returns the line of a change: `M /etc/passwd  content, mode 644 -> 600  1.2 kB`. */
export function describeChange(change: ContainerChange): Printable {
  const { kind, before, after } = change;
  const object = after ?? before;
  const target = object?.target === undefined ? '' : text` -> ${shownPath(object.target)}`;
  const name = text`${shownPath(change.path)}${object?.type === 'directory' ? '/' : ''}${target}`;
  const renamed = change.renamed === undefined ? '' : `${kind === 'deleted' ? 'is now' : 'was'} ${shownPath(change.renamed).plain}`;
  const details = [...detailsOf(change), sizeOf(change), renamed].filter(Boolean);
  return line(kind, name, details.join(', '));
}

function line(kind: ContainerChange['kind'], name: Printable, details: string): Printable {
  return text`${styled(COLORS[kind], text`${LETTERS[kind]} ${name}`)}${details ? text`  ${styled('dim', details)}` : ''}`;
}

/** Returns the differences of a modified file. */
function detailsOf({ kind, aspects, before, after }: ContainerChange): string[] {
  if (kind !== 'modified' || !before || !after) return [];
  return aspects.map((aspect) => {
    switch (aspect) {
      case 'type':
        return `${before.type} -> ${after.type}`;
      case 'mode':
        return `mode ${before.mode.toString(8)} -> ${after.mode.toString(8)}`;
      case 'owner':
        return `owner ${before.uid}:${before.gid} -> ${after.uid}:${after.gid}`;
      case 'xattr':
        return 'attributes';
      case 'mtime':
        return 'time';
      case 'links':
        return `links ${before.links ?? 1} -> ${after.links ?? 1}`;
      default:
        return after.type === 'file' ? '' : 'content';
    }
  });
}

function sizeOf({ kind, before, after }: ContainerChange): string {
  if (kind !== 'modified') {
    const object = after ?? before;
    return object?.type === 'file' ? bytes(object.size) : object && object.type !== 'directory' && object.type !== 'symlink' ? object.type : '';
  }
  if (before?.type !== 'file' || after?.type !== 'file') return '';
  return before.size === after.size ? bytes(after.size) : `${bytes(before.size)} -> ${bytes(after.size)}`;
}

/** Returns the last line of a list. */
export function describeTally({ added, modified, deleted, bytesAdded, bytesDeleted }: ChangeTally): Printable {
  if (!added && !modified && !deleted) return asIs('No changes.');
  const counts = [
    ...(added ? [styled('green', `${added} added`)] : []),
    ...(modified ? [styled('yellow', `${modified} modified`)] : []),
    ...(deleted ? [styled('red', `${deleted} deleted`)] : []),
  ];
  const sizes = [...(bytesAdded ? [`+${bytes(bytesAdded)}`] : []), ...(bytesDeleted ? [`-${bytes(bytesDeleted)}`] : [])];
  return text`${joined(counts, ', ')}${sizes.length ? ` (${sizes.join(', ')})` : ''}`;
}

/** Groups a new directory and its content into one line. */
export class Grouping {
  #top: ContainerChange | undefined;
  #tally = new ChangeTally();

  /** Returns the lines that are complete with this change. */
  add(change: ContainerChange): Printable[] {
    if (this.#top && change.kind === 'added' && change.view === this.#top.view && change.path.startsWith(`${this.#top.path}/`)) {
      this.#tally.add(change);
      return [];
    }
    const lines = this.end();
    if (change.kind === 'added' && change.after?.type === 'directory') {
      this.#top = change;
      return lines;
    }
    return [...lines, describeChange(change)];
  }

  /** Returns the line of the open directory. */
  end(): Printable[] {
    if (!this.#top) return [];
    const { added, bytesAdded } = this.#tally;
    const described = added
      ? line('added', text`${shownPath(this.#top.path)}/`, `with ${added} ${added === 1 ? 'entry' : 'entries'}, ${bytes(bytesAdded)}`)
      : describeChange(this.#top);
    this.#top = undefined;
    this.#tally = new ChangeTally();
    return [described];
  }
}
