import type { ContainerChange, StoredContainer } from '@lamella/engine';
import { PATCH_LIMIT, type Patched, patchOf, pathBytes } from './patch.js';

/** Changes whose contents are read at once. */
const BATCH = 64;
/** And how many bytes they have together, unless it is one alone. */
const BATCH_BYTES = 16 << 20;

/** A piece of a patch, or what has no place in it. */
export type PatchPart = { readonly text: string } | { readonly path: string; readonly omitted: string };

/** Changes as one patch. Contents are read a few at a time. */
export async function* patchStream(
  container: Pick<StoredContainer, 'contents'>,
  changes: AsyncIterable<ContainerChange>,
  binary: 'patch' | 'omit',
): AsyncGenerator<PatchPart> {
  const order = new PatchOrder();
  let batch: ContainerChange[] = [];
  let bytes = 0;
  async function* flush(): AsyncGenerator<PatchPart> {
    const contents = await container.contents(batch, { limit: PATCH_LIMIT });
    for (const [i, change] of batch.entries()) yield* order.add(change, await patchOf(change, contents[i], binary));
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
  yield* order.end();
}

function sizeOf(object: ContainerChange['after']): number {
  return object && object.size <= PATCH_LIMIT ? object.size : 0;
}

/**
 * Puts the patches of changes, which come sorted by path, in an order in which they can be applied one after the other, and finds the
 * directories that no patch can express.
 */
class PatchOrder {
  /** What takes the place of directories: it comes when all in them is deleted. */
  #waiting: { readonly path: string; readonly text: string }[] = [];
  /** Directories that came or went, and in which no file has done so yet. */
  #empty: { readonly path: string; readonly shown: string; readonly omitted: string }[] = [];

  *add(change: ContainerChange, { text, omitted }: Patched): Generator<PatchPart> {
    const path = pathBytes(change);
    yield* this.#leave(path);
    for (const each of omitted) yield { path: change.path, omitted: each };
    const { before, after } = change;
    // A directory comes with the first file in it, and goes with the last one.
    if (text) this.#empty = this.#empty.filter((directory) => !isBelow(path, directory.path));
    const came = after?.type === 'directory' && before?.type !== 'directory';
    const went = before?.type === 'directory' && after?.type !== 'directory';
    if (came) this.#empty.push({ path, shown: change.path, omitted: 'a new directory with no file in it' });
    if (went) this.#empty.push({ path, shown: change.path, omitted: 'the removal of a directory with no file in it' });
    if (went && text) this.#waiting.push({ path, text });
    else if (text) yield { text };
  }

  *end(): Generator<PatchPart> {
    yield* this.#leave(undefined);
  }

  /** What was put off until the changes below a directory are over. */
  *#leave(path: string | undefined): Generator<PatchPart> {
    const isOver = (each: { readonly path: string }): boolean => path === undefined || !isBelow(path, each.path);
    for (const each of this.#empty.filter(isOver)) yield { path: each.shown, omitted: each.omitted };
    this.#empty = this.#empty.filter((each) => !isOver(each));
    for (const each of this.#waiting.filter(isOver)) yield { text: each.text };
    this.#waiting = this.#waiting.filter((each) => !isOver(each));
  }
}

function isBelow(path: string, directory: string): boolean {
  return directory === '' || path.startsWith(`${directory}/`);
}
