import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { isWhole, readLayerMeta } from '../store/layer-meta.js';
import type { StorePaths } from '../store/store-paths.js';
import type { LayerDir } from './image.js';
import { isOpaque, type NotedLayer } from './layer-stack.js';

/** The id of a stack of layers (image-spec, config.md, "Layer ChainID"), from the bottom up. */
export function chainID(diffIDs: readonly string[]): string {
  return diffIDs.reduce((chain, diffID) => (chain ? `sha256:${createHash('sha256').update(`${chain} ${diffID}`).digest('hex')}` : diffID), '');
}

/** The layers that are mounted: one that comes twice is once, at its last place. Overlayfs refuses the second, and it would change nothing. */
export function lastOfEach(diffIDs: readonly string[]): string[] {
  return diffIDs.filter((diffID, i) => diffIDs.lastIndexOf(diffID) === i);
}

/**
 * The layers of a stack that show: one whose top is opaque hides all below it (image-spec, layer.md, "Opaque Whiteout").
 * Overlayfs does not look for that mark on the tops of layers, so those below are not mounted.
 *
 * @param layers the topmost first
 */
export function visibleLayers(layers: readonly NotedLayer[]): readonly NotedLayer[] {
  const hiding = layers.findIndex((layer) => isOpaque(layer, ''));
  return hiding < 0 ? layers : layers.slice(0, hiding + 1);
}

/** A chain that was made before, whole; layers are the topmost first. */
export function findChain(paths: StorePaths, layers: readonly NotedLayer[]): LayerDir[] | undefined {
  const diffIDs = layers.map(({ diffID }) => diffID).toReversed();
  const id = chainID(diffIDs);
  const meta = readLayerMeta(paths.chainMeta(id));
  if (!meta || !isWhole(meta, paths) || !existsSync(paths.chainTree(id))) return undefined;
  const stack: LayerDir[] = meta.entries ? [{ diffID: id, path: paths.chainTree(id), lock: paths.chainMeta(id) }] : [];
  for (const [i, layer] of visibleLayers(layers).entries()) {
    const other = meta.rebased?.includes(layer.diffID) ? rebasedLayer(paths, chainID(diffIDs.slice(0, layers.length - i))) : layer;
    if (!other) return undefined;
    stack.push({ diffID: other.diffID, path: other.path, lock: other.lock });
  }
  return stack;
}

/** A layer that was rebased before, whole; see rebase-layer.ts. */
export function rebasedLayer(paths: StorePaths, id: string): NotedLayer | undefined {
  const directory = paths.rebasedLayer(id);
  const lock = path.join(directory, 'meta.json');
  const meta = readLayerMeta(lock);
  const tree = path.join(directory, 'fs');
  return meta && isWhole(meta, paths) && existsSync(tree) ? { diffID: id, path: tree, lock, meta } : undefined;
}
