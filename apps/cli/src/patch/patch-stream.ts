import type { ContainerChange, StoredContainer } from '@lamella/engine';
import { withContents } from '../changes/with-contents.js';
import { PATCH_LIMIT, patchOf, pathBytes } from './change-patch.js';

/** A part of a patch, or a change that it cannot express. */
export type PatchPart = { readonly text: string } | { readonly path: string; readonly omitted: string };

/** Yields the parts of a patch. The contents of a few changes are read at a time. */
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

/** Finds added and deleted directories that a patch cannot express: those without a file in the patch. */
class Directories {
  /** Directories without a file in the patch so far. */
  #open: { readonly path: string; readonly shown: string; readonly omitted: string }[] = [];

  /** @param isPatched whether the change is in the patch */
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
