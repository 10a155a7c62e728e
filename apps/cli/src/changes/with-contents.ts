import type { ContainerChange, Contents, StoredContainer } from '@lamella/engine';

/** Changes whose contents are read at once. */
const BATCH = 64;
/** And how many bytes they have together, unless it is one alone. */
const BATCH_BYTES = 16 << 20;

/**
 * Changes with what was in them and is: read a few at a time, however many there are.
 *
 * @param limit bytes: of a larger file there is no content
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
