import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { AT_FDCWD, parseWalked, run } from '@lamella/syscall';

/** All that a file is, but its inode number: equal trees have equal descriptions. */
export interface TreeEntry {
  /** `file`, `directory`, `symlink`, `character 1:3`, … */
  readonly type: string;
  /** Octal permission bits. */
  readonly mode: string;
  readonly owner: string;
  /** Seconds and nanoseconds. */
  readonly mtime: string;
  readonly size: number;
  /** Of the content; of other things the link's target, or nothing. */
  readonly content: string;
  /** Name and hexadecimal value, sorted. */
  readonly xattrs: readonly string[];
  /** The first name (in sorted order) of the same file; its own name if it has only one. */
  readonly sameAs: string;
  /** Whether it takes clearly less room than its size says. */
  readonly sparse: boolean;
}

const TYPES: Readonly<Record<number, string>> = { 1: 'fifo', 2: 'character', 4: 'directory', 6: 'block', 8: 'file', 10: 'symlink', 12: 'socket' };

/** Describe a tree by path, relative to its top (which is `.`). Names are bytes as latin1. */
export async function describeTree(directory: string): Promise<Map<string, TreeEntry>> {
  const found: (readonly [name: string, inode: string, entry: Omit<TreeEntry, 'sameAs'>])[] = [];
  await run([{ op: 'walk', dirfd: AT_FDCWD, content: 0, pathname: directory }], {
    onReply(reply) {
      if (reply.kind === 'data') found.push(parse(reply.data, directory));
    },
  });
  const first = new Map<string, string>();
  const sorted = found.toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, inode] of sorted) if (!first.has(inode)) first.set(inode, name);
  return new Map(sorted.map(([name, inode, entry]) => [name, { ...entry, sameAs: first.get(inode) ?? name }]));
}

function parse(data: Buffer, directory: string): readonly [string, string, Omit<TreeEntry, 'sameAs'>] {
  const found = parseWalked(data);
  const kind = TYPES[found.mode >> 12] ?? 'unknown';
  const isFile = kind === 'file';
  const content = isFile
    ? createHash('sha256')
        .update(readFileSync(Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(found.name, 'latin1')])))
        .digest('hex')
    : found.target;
  return [
    found.name || '.',
    found.inode,
    {
      type: ['character', 'block'].includes(kind) ? `${kind} ${found.major}:${found.minor}` : kind,
      mode: (found.mode & 0o7777).toString(8),
      owner: `${found.uid}:${found.gid}`,
      mtime: `${found.mtimeSeconds}.${String(found.mtimeNanoseconds).padStart(9, '0')}`,
      size: isFile ? found.size : 0,
      content,
      xattrs: found.xattrs.map(([name, value]) => `${name}=${value.toString('hex')}`).sort(),
      sparse: isFile && found.size > 65536 && found.blocks * 512 < found.size / 2,
    },
  ];
}

/** A description as plain lines, for a readable difference in a failing test. */
export function treeLines(tree: ReadonlyMap<string, TreeEntry>, { without = [] }: { readonly without?: readonly (keyof TreeEntry)[] } = {}): string[] {
  return [...tree].map(([name, entry]) => {
    const fields = Object.entries(entry).filter(([key]) => !without.includes(key as keyof TreeEntry));
    return `${JSON.stringify(path.posix.normalize(name))} ${fields.map(([key, value]) => `${key}=${String(value)}`).join(' ')}`;
  });
}
