import type { FileHandle } from 'node:fs/promises';
import type { StackCheck } from '../model/layer-check.js';
import type { StorePaths } from '../store/store-paths.js';
import { findChain, visibleLayers } from './chain.js';
import type { LayerDir } from './image.js';
import type { NotedLayer } from './layer-stack.js';

/** Whether a stack could need anything beside its layers; layers are the topmost first. */
function mayNeedChain(layers: readonly NotedLayer[]): boolean {
  return layers.some(({ meta }, i) => meta.whiteoutDirectories?.length || meta.lowerLinks?.length || (i < layers.length - 1 && meta.implied.length));
}

/**
 * Layers as they are to be mounted.
 *
 * @param layers the topmost first
 * @param blob opens a layer's archive
 * @param check compare what was made for the stack before with what would be made now. Default: it is taken as it is
 * @throws ImageError `LAYER_ENTRY_FAILED` when a layer leans on what the others do not have
 */
export async function stackLayers(
  paths: StorePaths,
  layers: readonly NotedLayer[],
  blob: (diffID: string) => Promise<FileHandle>,
  check?: StackCheck,
): Promise<LayerDir[]> {
  const visible = visibleLayers(layers);
  if (!mayNeedChain(visible)) return visible.map(({ meta: _, ...layer }) => layer);
  const found = check ? undefined : findChain(paths, layers);
  if (found) return found;
  // Once for each stack.
  const { makeChain } = await import('./make-chain.js');
  return makeChain(paths, layers, blob, check);
}
