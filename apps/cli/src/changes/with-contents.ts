import type { ContainerChange, Contents, StoredContainer } from '@lamella/engine';

/** Number of changes whose contents are read together. */
const BATCH = 64;
/** Maximum bytes of their contents, unless one change alone exceeds it. */
const BATCH_BYTES = 16 << 20;

/**
 * Yields changes with their contents before and after. A few are read at a time.
 *
 * @param limit bytes; larger files have no content
 */
export async function* withContents(
  container: Pick<StoredContainer, 'contents'>,
  changes: AsyncIterable<ContainerChange> | Iterable<ContainerChange>,
  limit: number,
): AsyncGenerator<readonly [ContainerChange, Contents | undefined]> {
  const sizeOf = (object: ContainerChange['after']): number => (object && object.size <= limit ? object.size : 0);
  let batch: ContainerChange[] = [];
  let bytes = 0;
  async function* flush(): AsyncGenerator<readonly [ContainerChange, Contents | undefined]> {
    const contents = await container.contents(batch, { limit });
    for (const [i, change] of batch.entries()) yield [change, contents[i]];
    batch = [];
    bytes = 0;
  }
  for await (const change of changes) {
    const size = sizeOf(change.before) + sizeOf(change.after);
    if (batch.length === BATCH || (batch.length && bytes + size > BATCH_BYTES)) yield* flush();
    batch.push(change);
    bytes += size;
  }
  if (batch.length) yield* flush();
}
