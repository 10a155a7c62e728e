import { type ObjectState, openSides } from '@lamella/overlay';
import { flatten, type Op, ownMountNamespace, run, slotAllocator } from '@lamella/syscall';
import { beneath, unlessGone } from '../filesystem/open-beneath.js';
import type { CheckedMount } from '../model/writable-mount.js';
import type { ContainerChange } from './changes.js';

/** Content of a file before and after; undefined where no file is, or one that is larger than the limit. */
export interface Contents {
  readonly before: Buffer | undefined;
  readonly after: Buffer | undefined;
}

/**
 * Reads what files among some changes had in them, and have, in the same order. Every path is followed below its top only, and through
 * no link: processes in the container cannot lead this out of it.
 *
 * @param limit bytes of a file at the most
 */
export async function contentsOf(changes: readonly ContainerChange[], limit: number): Promise<readonly Contents[]> {
  const byView = Map.groupBy(changes, (change) => change.view);
  const found = new Map<ContainerChange, Contents>();
  for (const [view, own] of byView) for (const [change, contents] of await contentsIn(view, own, limit)) found.set(change, contents);
  return changes.map((change) => found.get(change) ?? { before: undefined, after: undefined });
}

async function contentsIn(view: CheckedMount, changes: readonly ContainerChange[], limit: number): Promise<ReadonlyMap<ContainerChange, Contents>> {
  const slots = slotAllocator();
  const sides = await openSides(view, slots);
  const parent = slots();
  const program: Op[] = [...ownMountNamespace(), ...sides.program];
  // The ops for fuse-overlayfs contain programs themselves, whose ops are counted, too.
  const inside = flatten(program).length - program.length;
  /** By the index of its op: whose content comes. */
  const readers = new Map<number, Reader>();
  const read = (top: number, name: string, state: ObjectState | undefined): Reader | undefined => {
    if (state?.type !== 'file' || state.size > limit) return undefined;
    const reader: Reader = { parts: [], left: limit };
    for (const op of unlessGone(beneath(top, name, parent, (dirfd, pathname) => [{ op: 'walk', dirfd, content: Math.max(limit, 2), pathname }]))) {
      if (op.op === 'walk') readers.set(program.length + inside, reader);
      program.push(op);
    }
    return reader;
  };
  const under = changes.map((change) => [change, read(sides.lower, change.name, change.before), read(sides.upper, change.name, change.after)] as const);
  await run(program, {
    onReply(reply) {
      const reader = reply.kind === 'content' ? readers.get(reply.index) : undefined;
      if (!reader || reply.kind !== 'content') return;
      reader.left -= reply.data.length;
      if (reader.left < 0) reader.parts.length = 0;
      else reader.parts.push(reply.data);
    },
  });
  return new Map(under.map(([change, before, after]) => [change, { before: contentOf(before), after: contentOf(after) }]));
}

/** What has come of a file, and how many bytes of it may come still: it may have grown since it was seen, or be a directory now. */
interface Reader {
  readonly parts: Buffer[];
  left: number;
}

function contentOf(reader: Reader | undefined): Buffer | undefined {
  return reader && reader.left >= 0 ? Buffer.concat(reader.parts) : undefined;
}
