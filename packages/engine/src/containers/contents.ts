import { type ObjectState, openSides } from '@lamella/overlay';
import { flatten, type Op, ownMountNamespace, run, slotAllocator } from '@lamella/syscall';
import { beneath, unlessGone } from '../beneath.js';
import type { CheckedView } from '../views.js';
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
  const byView = Map.groupBy(changes, (change) => change.view);
  const found = new Map<ContainerChange, Contents>();
  for (const [view, own] of byView) for (const [change, contents] of await contentsIn(view, own, limit)) found.set(change, contents);
  return changes.map((change) => found.get(change) ?? { before: undefined, after: undefined });
}

async function contentsIn(view: CheckedView, changes: readonly ContainerChange[], limit: number): Promise<ReadonlyMap<ContainerChange, Contents>> {
  const slots = slotAllocator();
  const sides = await openSides(view, slots);
  const parent = slots();
  const program: Op[] = [...ownMountNamespace(), ...sides.program];
  // What fuse-overlayfs needs has programs of its own in it, whose ops are counted, too.
  const inside = flatten(program).length - program.length;
  /** By the index of its op: whose content comes. */
  const readers = new Map<number, Buffer[]>();
  const read = (top: number, name: string, state: ObjectState | undefined): Buffer[] | undefined => {
    if (state?.type !== 'file' || state.size > limit) return undefined;
    const parts: Buffer[] = [];
    for (const op of unlessGone(beneath(top, name, parent, (dirfd, pathname) => [{ op: 'walk', dirfd, content: 1, pathname }]))) {
      if (op.op === 'walk') readers.set(program.length + inside, parts);
      program.push(op);
    }
    return parts;
  };
  const under = changes.map((change) => [change, read(sides.lower, change.name, change.before), read(sides.upper, change.name, change.after)] as const);
  await run(program, {
    onReply(reply) {
      if (reply.kind === 'content') readers.get(reply.index)?.push(reply.data);
    },
  });
  return new Map(under.map(([change, before, after]) => [change, { before: before && Buffer.concat(before), after: after && Buffer.concat(after) }]));
}
