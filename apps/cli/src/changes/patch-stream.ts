import type { ContainerChange, StoredContainer } from '@lamella/engine';
import { PATCH_LIMIT, patchOf, pathBytes } from './patch.js';

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
  const directories = new Directories();
  let batch: ContainerChange[] = [];
  let bytes = 0;
  async function* flush(): AsyncGenerator<PatchPart> {
    const contents = await container.contents(batch, { limit: PATCH_LIMIT });
    for (const [i, change] of batch.entries()) {
      const { text, omitted } = await patchOf(change, contents[i], binary);
      for (const each of omitted) yield { path: change.path, omitted: each };
      yield* directories.add(change, text !== '');
      if (text) yield { text };
    }
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
  yield* directories.end();
}

function sizeOf(object: ContainerChange['after']): number {
  return object && object.size <= PATCH_LIMIT ? object.size : 0;
}

/** Finds the directories that came or went and that no patch can express: one comes with the first file in it, and goes with the last. */
class Directories {
  /** Those in which no file has come or gone yet. */
  #open: { readonly path: string; readonly shown: string; readonly omitted: string }[] = [];

  /** @param isPatched whether there is a patch for it */
  *add({ before, after, ...change }: ContainerChange, isPatched: boolean): Generator<PatchPart> {
    const path = pathBytes(change);
    yield* this.#leave((directory) => !isBelow(path, directory));
    if (isPatched) this.#open = this.#open.filter((directory) => !isBelow(path, directory.path));
    if (before?.type === after?.type) return;
    if (after?.type === 'directory') this.#open.push({ path, shown: change.path, omitted: 'a new directory with no file in it' });
    if (before?.type === 'directory') this.#open.push({ path, shown: change.path, omitted: 'the removal of a directory with no file in it' });
  }

  *end(): Generator<PatchPart> {
    yield* this.#leave(() => true);
  }

  *#leave(isOver: (directory: string) => boolean): Generator<PatchPart> {
    for (const { path, shown, omitted } of this.#open) if (isOver(path)) yield { path: shown, omitted };
    this.#open = this.#open.filter(({ path }) => !isOver(path));
  }
}

function isBelow(path: string, directory: string): boolean {
  return directory === '' || path.startsWith(`${directory}/`);
}
