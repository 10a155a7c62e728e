import { openSides } from '@lamella/overlay';
import { O, type Op, RESOLVE, run, slotAllocator } from '@lamella/syscall';
import type { View } from '../views.js';
import type { ContainerChange } from './changes.js';

/** Content of a file before and after; undefined where there is no file, or one that is larger than was asked for. */
export interface Contents {
  readonly before: Buffer | undefined;
  readonly after: Buffer | undefined;
}

/**
 * Read what files among some changes had in them, and have, in the same order. Every path is followed below its top only, and through
 * no link: whoever runs in the container cannot lead this out of it.
 *
 * @param limit bytes of a file at the most
 */
export async function contentsOf(changes: readonly ContainerChange[], limit: number): Promise<readonly Contents[]> {
  const found: Contents[] = [];
  for (const view of new Set(changes.map((change) => change.view))) {
    const own = changes.filter((change) => change.view === view);
    const contents = await contentsIn(view, own, limit);
    for (const [i, change] of own.entries()) found[changes.indexOf(change)] = contents[i] ?? { before: undefined, after: undefined };
  }
  return found;
}

async function contentsIn(view: View, changes: readonly ContainerChange[], limit: number): Promise<readonly Contents[]> {
  const found: { before?: Buffer[] | undefined; after?: Buffer[] | undefined }[] = changes.map(() => ({}));
  const slots = slotAllocator();
  const sides = await openSides(view, slots);
  const parent = slots();
  const program: Op[] = [...sides.program];
  /** By the index of its op: whose content comes. */
  const readers = new Map<number, Buffer[]>();
  const read = (dirfd: number, name: string): Buffer[] => {
    const slash = name.lastIndexOf('/');
    const bytes = Buffer.from(name, 'latin1');
    const parts: Buffer[] = [];
    program.push(
      {
        op: 'openat2',
        dirfd,
        pathname: slash < 0 ? '.' : bytes.subarray(0, slash),
        flags: O.PATH | O.DIRECTORY | O.CLOEXEC,
        mode: 0,
        resolve: RESOLVE.BENEATH | RESOLVE.NO_SYMLINKS,
        out: parent,
        ignore: GONE,
      },
      { op: 'walk', dirfd: parent, content: 1, pathname: bytes.subarray(slash + 1), ignore: [...GONE, 'EBADF'] },
      { op: 'close', fd: parent, ignore: ['EBADF'] },
    );
    readers.set(program.length - 2, parts);
    return parts;
  };
  for (const [i, { name, before, after }] of changes.entries()) {
    const is = found[i];
    if (!is) continue;
    if (after?.type === 'file' && after.size <= limit) is.after = read(sides.upper, name);
    if (before?.type === 'file' && before.size <= limit) is.before = read(sides.lower, name);
  }
  await run(program, {
    onReply(reply) {
      if (reply.kind === 'content') readers.get(reply.index)?.push(reply.data);
    },
  });
  return found.map(({ before, after }) => ({ before: before && Buffer.concat(before), after: after && Buffer.concat(after) }));
}

/** Taken away since. */
const GONE = ['ENOENT', 'ENOTDIR', 'ELOOP'];
