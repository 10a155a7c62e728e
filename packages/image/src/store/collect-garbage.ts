import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { tryLockFile } from '@lamella/syscall';
import { ImageError } from '../image-error.js';
import { readConfig, readManifest } from './open-image.js';
import { readIndex } from './store-index.js';
import type { StorePaths } from './store-paths.js';
import { removeTree } from './temporary-layer.js';

/** What no image refers to any more, removed. */
export interface Garbage {
  readonly blobs: readonly string[];
  readonly layers: readonly string[];
}

/**
 * Remove blobs and layers which no image of the index refers to. Layers that a running container
 * stands on wait for the next time. The index lock is held.
 */
export async function collectGarbage(paths: StorePaths): Promise<Garbage> {
  const used = referredTo(paths);
  // What a damaged image refers to is unknown: nothing is garbage for certain.
  if (!used) return { blobs: [], layers: [] };
  const { blobs, layers } = used;
  const removed = { blobs: [] as string[], layers: [] as string[] };
  for (const name of await readdir(paths.layers)) {
    const diffID = `sha256:${name}`;
    if (name.startsWith('.') || layers.has(diffID)) continue;
    if (!(await removeLayer(paths, diffID))) continue;
    removed.layers.push(diffID);
  }
  for (const name of await readdir(paths.blobs)) {
    const digest = `sha256:${name}`;
    if (blobs.has(digest)) continue;
    await rm(path.join(paths.blobs, name), { force: true });
    if (!name.startsWith('.')) removed.blobs.push(digest);
  }
  return removed;
}

function referredTo(paths: StorePaths): { blobs: Set<string>; layers: Set<string> } | undefined {
  const blobs = new Set<string>();
  const layers = new Set<string>();
  try {
    for (const descriptor of readIndex(paths).manifests) {
      blobs.add(descriptor.digest);
      const manifest = readManifest(paths, descriptor);
      for (const each of [manifest.config, ...manifest.layers]) blobs.add(each.digest);
      for (const diffID of readConfig(paths, manifest).rootfs.diff_ids) layers.add(diffID);
    }
  } catch (error) {
    if (error instanceof ImageError && error.code === 'STORE_CORRUPT') return undefined;
    throw error;
  }
  return { blobs, layers };
}

/** Remove a layer unless a container holds it; false then. */
async function removeLayer(paths: StorePaths, diffID: string): Promise<boolean> {
  const lock = await tryLockFile(paths.meta(diffID), { create: false }).catch((error: { code?: string }) => {
    if (error.code === 'ENOENT') return 'unfinished' as const;
    throw error;
  });
  if (!lock) return false;
  await removeTree(paths.layer(diffID));
  if (lock !== 'unfinished') await lock[Symbol.asyncDispose]();
  return true;
}
