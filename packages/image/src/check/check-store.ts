import { lstatSync } from 'node:fs';
import { lockFile } from '@lamella/syscall';
import type { CheckOptions } from '../model/check-options.js';
import { ImageError } from '../model/image-error.js';
import { shortReference } from '../model/reference.js';
import { collectGarbage } from '../removal/collect-garbage.js';
import { heldByContainers } from '../removal/containers-of-images.js';
import { entriesOf } from '../store/entries-of.js';
import type { OciDescriptor } from '../store/oci-schema.js';
import { readIndex, referenceOf, writeIndex } from '../store/store-index.js';
import type { StorePaths } from '../store/store-paths.js';
import { removeTree } from '../store/temporary-layer.js';
import { checkFiles } from './check-files.js';
import { checkImage, type Verdicts } from './check-image.js';
import { checkIndex } from './check-index.js';
import { Problems, type StoreProblem } from './problems.js';
import { blobProblem, publishedTimes } from './verify-blob.js';

/** How much was compared, and what is damaged. */
export interface StoreCheck {
  readonly blobs: number;
  readonly layers: number;
  readonly problems: readonly StoreProblem[];
}

/**
 * Compares all that a store has with what it should have: the books with each other, every blob with its digest, every tree with its blob,
 * which is unpacked once more for that. {@link ImageStore.check} tells of it.
 *
 * @throws ImageError `STORE_NEWER`
 */
export async function checkStore(paths: StorePaths, { quick = false, force = false, repair = force }: CheckOptions = {}): Promise<StoreCheck> {
  const problems = new Problems();
  // Nothing was ever brought in.
  if (!lstatSync(paths.images, { throwIfNoEntry: false }) && !lstatSync(paths.layers, { throwIfNoEntry: false })) return { blobs: 0, layers: 0, problems: [] };
  if (!(await checkFiles(paths, problems, repair))) return { blobs: 0, layers: 0, problems: problems.all };
  const index = await checkIndex(paths, problems, repair);
  const verdicts: Verdicts = {
    full: !quick,
    repair,
    problems,
    published: index ? publishedTimes(paths, index) : new Map(),
    blobs: new Map(),
    layers: new Map(),
  };
  const damaged = new Map<OciDescriptor, string>();
  for (const descriptor of index?.manifests ?? []) {
    const what = nameOf(descriptor, problems);
    const state = await checkImage(paths, what, descriptor, verdicts);
    if (state !== 'sound') damaged.set(descriptor, what);
  }
  if (!quick) await checkOthers(paths, verdicts, repair && index !== undefined && !damaged.size);
  checkHolders(await heldByContainers(paths), problems);
  if (force && damaged.size) await forget(paths, damaged, problems);
  const blobs = (await entriesOf(paths.blobs)).filter((each) => !each.startsWith('.')).length;
  return { blobs, layers: verdicts.layers.size, problems: problems.all };
}

/** A name that is none could be anybody's: the image is called by its digest. */
function nameOf(descriptor: OciDescriptor, problems: Problems): string {
  try {
    const reference = referenceOf(descriptor);
    return reference ? shortReference(reference) : descriptor.digest;
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    problems.add({ kind: 'index', what: descriptor.digest, problem: error.message, hint: 'Bring the image in again, then lamella system check --force.' });
    return descriptor.digest;
  }
}

/** Documents, and blobs that no image refers to: what an attempt left that did not succeed serves the next. */
async function checkOthers(paths: StorePaths, { blobs, problems }: Verdicts, removes: boolean): Promise<void> {
  for (const name of await entriesOf(paths.blobs)) {
    const digest = `sha256:${name}`;
    if (!/^[0-9a-f]{64}$/.test(name) || blobs.has(digest)) continue;
    const file = paths.blob(digest);
    const problem = await blobProblem(file, { digest, size: lstatSync(file, { throwIfNoEntry: false })?.size ?? 0 });
    if (problem === undefined) continue;
    if (removes) await removeTree(file);
    problems.add({
      kind: 'blob',
      what: digest,
      problem,
      ...(removes ? { repaired: 'removed: no image refers to it' } : { hint: 'If no image refers to it: lamella image prune' }),
    });
  }
}

/** While it is unknown what a container stands on, nothing is garbage for certain. */
function checkHolders(holders: Awaited<ReturnType<typeof heldByContainers>>, problems: Problems): void {
  for (const { id } of holders.filter(({ damaged }) => damaged))
    problems.add({
      kind: 'store',
      what: `containers/${id}/layers`,
      problem: 'the record of what this container stands on is damaged',
      hint: `Keep what it has written: lamella export or commit; then lamella rm ${id}`,
    });
}

async function forget(paths: StorePaths, damaged: ReadonlyMap<OciDescriptor, string>, problems: Problems): Promise<void> {
  const holders = await heldByContainers(paths);
  await using _index = await lockFile(paths.lock('index'));
  const index = readIndex(paths);
  const gone = new Set<string>();
  for (const [descriptor, what] of damaged) {
    const holder = holders.find(({ image }) => image === descriptor.digest);
    if (holder)
      problems.add({
        kind: 'image',
        what,
        problem: `the container ${holder.id} is made of it, and so its name stays`,
        hint: `Bring the image in again, or remove the container: lamella rm ${holder.id}`,
      });
    else {
      gone.add(JSON.stringify(descriptor));
      problems.settle('its name was taken away', (each) => each.kind === 'image' && each.what === what);
    }
  }
  await writeIndex(paths, { ...index, manifests: index.manifests.filter((each) => !gone.has(JSON.stringify(each))) });
  await collectGarbage(paths);
  problems.settle('removed with its image', ({ kind, what }) => {
    const file = kind === 'blob' ? paths.blob(what) : kind === 'layer' ? paths.layer(what) : undefined;
    return file !== undefined && !lstatSync(file, { throwIfNoEntry: false });
  });
}
