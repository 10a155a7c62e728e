import { lstatSync } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { streamRegular } from '@lamella/syscall';
import { applyLayer } from '../layer/apply-layer.js';
import type { AppliedLayer } from '../model/applied-layer.js';
import { ImageError } from '../model/image-error.js';
import type { LayerProblem, VerifyOptions } from '../model/layer-check.js';
import type { TreeDifferences } from '../model/tree-differences.js';
import { compareTrees, goneTree } from '../stack/compare-trees.js';
import { areNotesAltered, isWhole, type LayerMeta, layerMeta, readLayerMeta, writeLayerMeta } from '../store/layer-meta.js';
import type { OciDescriptor } from '../store/oci-schema.js';
import { type StorePaths, stagedName } from '../store/store-paths.js';
import { putTree, type TemporaryLayer, temporaryLayer } from '../store/temporary-layer.js';
import { isLayerUntouched, noteVerified } from './verified-times.js';

/** Says what is wrong without a look at the files; undefined when that shows nothing. */
export function obviousProblem(paths: StorePaths, diffID: string): string | undefined {
  if (!lstatSync(paths.layer(diffID), { throwIfNoEntry: false })) return 'it is not unpacked';
  const meta = readLayerMeta(paths.meta(diffID));
  if (!meta || meta.diffID !== diffID) return 'its notes (meta.json) are missing or damaged';
  if (!isWhole(meta, paths)) return 'it may not have reached the disk';
  if (areNotesAltered(paths.meta(diffID))) return 'its notes (meta.json) are not what was written';
  if (!lstatSync(paths.tree(diffID), { throwIfNoEntry: false })?.isDirectory()) return 'its tree is gone';
  return undefined;
}

/**
 * Compares a layer's tree with its blob, by unpacking that once more beside it. A new tree takes the place of a wrong one at once; a container
 * that runs on the old one keeps that until it ends. The layer's turn is ours.
 *
 * @param blob what the layer is unpacked from, which is sound
 * @returns undefined when nothing is wrong
 * @throws ImageError `STORE_CORRUPT` when the blob is not the layer's; those of {@link applyLayer}
 */
export async function verifyLayer(
  paths: StorePaths,
  diffID: string,
  { digest, file }: Pick<OciDescriptor, 'digest'> & { readonly file: string },
  { full, repair }: VerifyOptions,
): Promise<LayerProblem | undefined> {
  const obvious = obviousProblem(paths, diffID);
  if (obvious !== undefined && !repair) return { problem: obvious, repaired: false };
  const began = Date.now();
  if (obvious === undefined && !full && (await isLayerUntouched(paths, diffID))) return undefined;
  await using temporary = await temporaryLayer(paths);
  const applied = await applyLayer(await streamRegular(file), temporary.tree, { stacked: true, isPromised: true });
  if (applied.blob.digest !== digest || applied.diffID !== diffID)
    throw new ImageError({ code: 'STORE_CORRUPT', message: `${file} does not have the content of its digest`, hint: 'Bring the image in again.' });
  if (obvious === undefined) {
    const differences = await differencesOf(paths, diffID, temporary, applied);
    if (!differences.count) {
      if (!full) await noteVerified(paths, paths.layer(diffID), began);
      return undefined;
    }
    if (repair) await replaceLayer(paths, temporary, applied);
    return { problem: 'its files are not those of its blob', differences, repaired: repair };
  }
  await replaceLayer(paths, temporary, applied);
  return { problem: obvious, repaired: true };
}

/** Whether a layer that is there is what was just unpacked once more. The layer's turn is ours. */
export async function isAsUnpacked(paths: StorePaths, temporary: TemporaryLayer, applied: AppliedLayer): Promise<boolean> {
  if (obviousProblem(paths, applied.diffID) !== undefined) return false;
  return (await differencesOf(paths, applied.diffID, temporary, applied)).count === 0;
}

async function differencesOf(paths: StorePaths, diffID: string, temporary: TemporaryLayer, applied: AppliedLayer): Promise<TreeDifferences> {
  const wanted = layerMeta(diffID, applied);
  const there = readLayerMeta(paths.meta(diffID));
  if (!there) return goneTree();
  const found = await compareTrees(paths.tree(diffID), temporary.tree, wanted);
  const notes = NOTES.filter((key) => JSON.stringify(there[key] ?? []) !== JSON.stringify(wanted[key] ?? []));
  if (!notes.length) return found;
  return { count: found.count + 1, first: [{ path: '../meta.json', what: `has another ${notes.join(', ')}` }, ...found.first] };
}

/** What of the notes follows from the blob alone. */
const NOTES = [
  'entries',
  'size',
  'implied',
  'opaque',
  'replaced',
  'whiteoutDirectories',
  'marks',
  'lowerLinks',
  'warnings',
] as const satisfies readonly (keyof LayerMeta)[];

/**
 * Replaces an existing layer by one that was unpacked, with the blobs that are kept beside it. The layer's turn is ours.
 *
 * @param hold called with the layer's notes before anybody else can see them
 * @returns what that returned
 */
export async function replaceLayer<Hold extends AsyncDisposable | undefined = undefined>(
  paths: StorePaths,
  temporary: TemporaryLayer,
  applied: AppliedLayer,
  hold?: (meta: string) => Promise<Hold>,
): Promise<Hold> {
  const target = paths.layer(applied.diffID);
  const meta = path.join(temporary.directory, 'meta.json');
  await writeLayerMeta(meta, layerMeta(applied.diffID, applied));
  await rm(temporary.blob, { force: true });
  const held = (await hold?.(meta)) as Hold;
  try {
    const staged = stagedName(applied.blob.digest);
    if (lstatSync(target, { throwIfNoEntry: false })?.isDirectory())
      for (const name of await readdir(target))
        if (/^(?:blob|from)-/.test(name) && name !== staged) await rename(path.join(target, name), path.join(temporary.directory, name));
    await putTree(temporary.directory, target);
    return held;
  } catch (error) {
    await held?.[Symbol.asyncDispose]();
    throw error;
  }
}
