import { styleText } from 'node:util';
import type { ContainerChange } from '@lamella/engine';
import { bytes } from '../output/units.js';
import { ChangeTally } from './change-tally.js';

const LETTERS = { added: 'A', modified: 'M', deleted: 'D' } as const;
const COLORS = { added: 'green', modified: 'yellow', deleted: 'red' } as const;

/** A path as one line: what a terminal would take for more than text is escaped, as ls(1) -b does. */
export function printable(path: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
  return path.replace(/[\\\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (c) =>
    c === '\n' ? '\\n' : c === '\\' ? '\\\\' : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** One line for people: `M /etc/passwd  content, mode 644 -> 600  1.2 kB`. */
export function describeChange(change: ContainerChange): string {
  const { kind, before, after } = change;
  const object = after ?? before;
  const name = `${printable(change.path)}${object?.type === 'directory' ? '/' : ''}`;
  const target = object?.target === undefined ? '' : ` -> ${printable(object.target)}`;
  const renamed = change.renamed === undefined ? '' : `${kind === 'deleted' ? 'is now' : 'was'} ${printable(change.renamed)}`;
  const details = [...detailsOf(change), sizeOf(change), renamed].filter(Boolean);
  return line(kind, `${name}${target}`, details.join(', '));
}

function line(kind: ContainerChange['kind'], name: string, details: string): string {
  return `${styleText(COLORS[kind], `${LETTERS[kind]} ${name}`)}${details ? `  ${styleText('dim', details)}` : ''}`;
}

/** What is different, of a modified object. */
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

/** The last line of a list. */
export function describeTally({ added, modified, deleted, bytesAdded, bytesDeleted }: ChangeTally): string {
  if (!added && !modified && !deleted) return 'Nothing was changed.';
  const counts = [
    ...(added ? [styleText('green', `${added} added`)] : []),
    ...(modified ? [styleText('yellow', `${modified} modified`)] : []),
    ...(deleted ? [styleText('red', `${deleted} deleted`)] : []),
  ];
  const sizes = [...(bytesAdded ? [`+${bytes(bytesAdded)}`] : []), ...(bytesDeleted ? [`-${bytes(bytesDeleted)}`] : [])];
  return `${counts.join(', ')}${sizes.length ? ` (${sizes.join(', ')})` : ''}`;
}

/** Makes one line of a new directory and all that is in it. */
export class Grouping {
  #top: ContainerChange | undefined;
  #tally = new ChangeTally();

  /** Lines that are ready with this change. */
  add(change: ContainerChange): string[] {
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

  /** The line of a directory after which nothing of it came. */
  end(): string[] {
    if (!this.#top) return [];
    const { added, bytesAdded } = this.#tally;
    const text = added
      ? line('added', `${printable(this.#top.path)}/`, `with ${added} ${added === 1 ? 'entry' : 'entries'}, ${bytes(bytesAdded)}`)
      : describeChange(this.#top);
    this.#top = undefined;
    this.#tally = new ChangeTally();
    return [text];
  }
}
