import type { Op, SlotAllocator } from '@lamella/syscall';
import { beneath } from '../../../filesystem/open-beneath.js';
import type { ContainerChange } from '../../changes.js';
import { linkedBefore } from './hard-links.js';
import type { Session } from './session.js';

/**
 * Reads the files that the host had linked and overlayfs has made several of, as far as they can be one again.
 *
 * @param upper slot of what is there now
 * @returns a digest of each one's content
 */
export async function digestsOf(
  session: Session,
  slots: SlotAllocator,
  upper: number,
  changes: readonly ContainerChange[],
): Promise<ReadonlyMap<ContainerChange, string>> {
  const files = linkedBefore(changes).flat();
  if (!files.length) return new Map();
  const parent = slots();
  const program: Op[] = [];
  const read = new Map<number, ContainerChange>();
  for (const change of files) {
    const ops = beneath(upper, change.name, parent, (dirfd, pathname) => [{ op: 'walk', dirfd, content: 1, pathname }]);
    read.set(program.length + ops.findIndex(({ op }) => op === 'walk'), change);
    program.push(...ops);
  }
  const { digests } = await session.run(program);
  return new Map([...read].map(([at, change]) => [change, digests.get(at) ?? '']));
}
