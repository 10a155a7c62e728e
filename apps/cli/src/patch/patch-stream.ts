import type { ContainerChange, StoredContainer } from '@lamella/engine';
import { withContents } from '../changes/with-contents.js';
import { PATCH_LIMIT, patchOf, pathBytes } from './change-patch.js';

/** A piece of a patch, or what has no place in it. */
export type PatchPart = { readonly text: string } | { readonly path: string; readonly omitted: string };

/** Changes as one patch. Contents are read a few at a time. */
export async function* patchStream(
  container: Pick<StoredContainer, 'contents'>,
  changes: AsyncIterable<ContainerChange>,
  binary: 'patch' | 'omit',
): AsyncGenerator<PatchPart> {
  const directories = new Directories();
  for await (const [change, contents] of withContents(container, changes, PATCH_LIMIT)) {
    const { text, omitted } = await patchOf(change, contents, binary);
    for (const each of omitted) yield { path: change.path, omitted: each };
    yield* directories.add(change, text !== '');
    if (text) yield { text };
  }
  yield* directories.end();
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
