import path from 'node:path';
import { ImageError } from '../model/image-error.js';
import { chainID, lastOfEach } from '../stack/chain.js';
import { entriesOf } from '../store/entries-of.js';
import { readConfig, readManifest } from '../store/image-documents.js';
import { notedBlobs, readLayerMeta } from '../store/layer-meta.js';
import { readIndex } from '../store/store-index.js';
import type { StorePaths } from '../store/store-paths.js';
import { removeTree, removeUnheld } from '../store/temporary-layer.js';
import { heldByContainers } from './containers-of-images.js';

/** What no image refers to any more, removed. */
export interface Garbage {
  readonly blobs: readonly string[];
  readonly layers: readonly string[];
}

/**
 * Removes blobs and layers which no image of the index refers to. Layers that a running container
 * stands on wait for the next time. The index lock is held.
 */
export async function collectGarbage(paths: StorePaths): Promise<Garbage> {
  const used = referredTo(paths);
  // What a damaged image refers to is unknown: nothing is garbage for certain.
  if (!used) return { blobs: [], layers: [] };
  const { blobs, layers, chains } = used;
  // A container that stays after its end can be started again.
  const holders = await heldByContainers(paths);
  if (holders.some(({ damaged }) => damaged)) return { blobs: [], layers: [] };
  for (const { trees } of holders)
    for (const id of trees) {
      layers.add(id);
      chains.add(id);
    }
  const removed = { blobs: [] as string[], layers: [] as string[] };
  for (const name of await entriesOf(paths.layers)) {
    const diffID = `sha256:${name}`;
    if (name.startsWith('.') || layers.has(diffID)) continue;
    const meta = readLayerMeta(paths.meta(diffID));
    const noted = meta ? notedBlobs(paths.layer(diffID), meta) : [];
    if (await removeUnheld(paths.layer(diffID))) removed.layers.push(diffID);
    // A process that makes an image of it expects its blob, too.
    else for (const blob of noted) blobs.add(blob.digest);
  }
  for (const name of await entriesOf(paths.chains)) {
    const id = `sha256:${name}`;
    if (!chains.has(id)) await removeUnheld(paths.chain(id));
  }
  for (const name of await entriesOf(paths.rebased)) {
    if (!chains.has(`sha256:${name}`)) await removeUnheld(paths.rebasedLayer(`sha256:${name}`));
  }
  for (const name of await entriesOf(paths.blobs)) {
    const digest = `sha256:${name}`;
    if (blobs.has(digest)) continue;
    await removeTree(path.join(paths.blobs, name));
    if (!name.startsWith('.')) removed.blobs.push(digest);
  }
  return removed;
}

/** Chains and rebased layers go by the chainIDs of images' stacks, whole and from the bottom up to any layer. */
function referredTo(paths: StorePaths): { blobs: Set<string>; layers: Set<string>; chains: Set<string> } | undefined {
  const blobs = new Set<string>();
  const layers = new Set<string>();
  const chains = new Set<string>();
  try {
    for (const descriptor of readIndex(paths).manifests) {
      blobs.add(descriptor.digest);
      const manifest = readManifest(paths, descriptor);
      for (const each of [manifest.config, ...manifest.layers]) blobs.add(each.digest);
      const diffIDs = readConfig(paths, manifest).rootfs.diff_ids;
      for (const diffID of diffIDs) layers.add(diffID);
      const stack = lastOfEach(diffIDs);
      for (let i = 1; i <= stack.length; i++) chains.add(chainID(stack.slice(0, i)));
    }
  } catch (error) {
    if (error instanceof ImageError && error.code === 'STORE_CORRUPT') return undefined;
    throw error;
  }
  return { blobs, layers, chains };
}
