import { type BigIntStats, existsSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { AT_FDCWD, bootId, idMapping, insideId, lockFile, type Op, type Program, runInUserNamespace, UTIME } from '@lamella/syscall';
import type { StackCheck } from '../model/layer-check.js';
import { isWhole, readLayerMeta, writeLayerMeta } from '../store/layer-meta.js';
import { makeDirectory } from '../store/make-directory.js';
import type { StorePaths } from '../store/store-paths.js';
import { putTree, temporaryLayer } from '../store/temporary-layer.js';
import { chainID, findChain, visibleLayers } from './chain.js';
import { compareTrees, goneTree } from './compare-trees.js';
import type { LayerDir } from './image.js';
import { hides, isOpaque, type NotedLayer, shown, statOf } from './layer-stack.js';
import { rebaseLayer } from './rebase-layer.js';

/**
 * Layers are unpacked each for itself, whatever they are stacked on. Three things of a stack are
 * lost by that. A layer that leans on those below takes another form (see rebase-layer.ts). And
 * one more lower on top of all, which holds nothing but directories, gives back:
 *
 * - A directory that a layer needs without listing it would hide the owner, mode and time that the
 *   layers below gave it.
 * - A whiteout in a directory that only one layer has would be listed in it: overlayfs looks for
 *   whiteouts only where it merges (readdir.c, `ovl_dir_is_real`).
 *
 * @param layers the topmost first
 * @param blob opens a layer's archive
 * @returns the whole stack, the topmost first
 * @throws ImageError `LAYER_ENTRY_FAILED` when a layer leans on what is not there
 */
export async function makeChain(
  paths: StorePaths,
  layers: readonly NotedLayer[],
  blob: (diffID: string) => Promise<FileHandle>,
  check?: StackCheck,
): Promise<LayerDir[]> {
  const diffIDs = layers.map(({ diffID }) => diffID).toReversed();
  const id = chainID(diffIDs);
  await using _turn = await lockFile(paths.lock(`chain-${id.slice(7, 9)}`));
  const meanwhile = check ? undefined : findChain(paths, layers);
  if (meanwhile) return meanwhile;
  const stack: NotedLayer[] = [];
  const rebased: string[] = [];
  const visible = visibleLayers(layers);
  const hidden = layers.length - visible.length;
  for (const [i, layer] of visible.toReversed().entries()) {
    const other = await rebaseLayer(paths, layer, stack, chainID(diffIDs.slice(0, hidden + i + 1)), () => blob(layer.diffID), check);
    if (other) rebased.push(layer.diffID);
    stack.unshift(other ?? layer);
  }
  const top = await writeChain(paths, id, stack, { rebased, check });
  return [...(top ? [top] : []), ...stack.map(({ meta: _, ...layer }) => layer)];
}

async function writeChain(
  paths: StorePaths,
  id: string,
  layers: readonly NotedLayer[],
  { rebased, check }: { readonly rebased: string[]; readonly check: StackCheck | undefined },
): Promise<LayerDir | undefined> {
  const directories = new Map<string, BigIntStats>();
  for (const [i, { meta }] of layers.entries()) {
    for (const name of i < layers.length - 1 ? meta.implied : []) {
      const stat = directories.has(name) ? undefined : metadataFor(layers, i, name);
      if (stat) directories.set(name, stat);
    }
    for (const name of meta.whiteoutDirectories ?? []) {
      const stat = directories.has(name) ? undefined : alone(layers, i, name);
      if (stat) directories.set(name, stat);
    }
  }
  await using temporary = await temporaryLayer(paths);
  await runInUserNamespace(build(temporary.tree, directories, layers));
  await writeLayerMeta(path.join(temporary.directory, 'meta.json'), {
    version: 1,
    diffID: id,
    entries: directories.size,
    size: 0,
    implied: [],
    rebased,
    warnings: [],
    bootId: bootId(),
    synced: false,
    unpackedAt: Date.now(),
  });
  makeDirectory(paths.chains);
  const there = readLayerMeta(paths.chainMeta(id));
  const whole = there && isWhole(there, paths) && existsSync(paths.chainTree(id)) ? there : undefined;
  // It contains directories only, and these are few: they are compared at each use.
  const differences = check && whole ? await compareTrees(paths.chainTree(id), temporary.tree, { implied: [] }) : goneTree();
  const same = whole && whole.entries === directories.size && JSON.stringify(whole.rebased ?? []) === JSON.stringify(rebased) && !differences.count;
  if (!same) {
    if (whole) check?.report(id, { problem: 'it is not what its layers need', differences, repaired: check.repair });
    if (!whole || !check || check.repair) await putTree(temporary.directory, paths.chain(id));
  }
  return directories.size ? { diffID: id, path: paths.chainTree(id), lock: paths.chainMeta(id) } : undefined;
}

/** A directory that is seen and that no other layer adds to. */
function alone(layers: readonly NotedLayer[], at: number, name: string): BigIntStats | undefined {
  const layer = layers[at] as NotedLayer;
  // Either it is hidden, or it is merged with what is there.
  for (const above of layers.slice(0, at)) if (statOf(above, name) || hides(above, name)) return undefined;
  const own = statOf(layer, name);
  // The layer may reach it through one of its links.
  if (!own?.isDirectory()) return undefined;
  if (isOpaque(layer, name) || hides(layer, name)) return own;
  for (const below of layers.slice(at + 1)) {
    const stat = statOf(below, name);
    if (stat) return stat.isDirectory() ? undefined : own;
    if (hides(below, name)) return own;
  }
  return own;
}

/** What the layers below say of a directory that layer `at` implies; nothing when another layer has the last word. */
function metadataFor(layers: readonly NotedLayer[], at: number, name: string): BigIntStats | undefined {
  for (const above of layers.slice(0, at)) if (statOf(above, name) || hides(above, name)) return undefined;
  const layer = layers[at] as NotedLayer;
  if (!statOf(layer, name)?.isDirectory() || hides(layer, name) || layer.meta.replaced?.includes(name)) return undefined;
  // An opaque mark hides what is in a directory, not what the directory is.
  for (const below of layers.slice(at + 1)) {
    const stat = statOf(below, name);
    if (stat && !stat.isDirectory()) return undefined;
    if (stat && !below.meta.implied.includes(name)) return stat;
    if (hides(below, name) || below.meta.replaced?.includes(name)) return undefined;
  }
  return undefined;
}

/** Ops that make the directories as they are to be. Parents that are only on the way are as the layers show them. */
function build(tree: string, directories: ReadonlyMap<string, BigIntStats>, layers: readonly NotedLayer[]): Program {
  const all = new Map(directories);
  for (const name of directories.keys())
    for (let parent = path.posix.dirname(name); parent !== '.'; parent = path.posix.dirname(parent)) {
      const found = shown(layers, parent);
      if (found && !all.has(parent)) all.set(parent, found.stat);
    }
  const sorted = [...all].sort(([a], [b]) => (a < b ? -1 : 1));
  const at = (name: string): { dirfd: number; pathname: string } => ({ dirfd: AT_FDCWD, pathname: path.join(tree, name) });
  const owners = idMapping();
  return [
    ...sorted.map(([name]): Op => ({ op: 'mkdirat', ...at(name), mode: 0o700 })),
    // Children before parents: making a child changes its parent's time.
    ...sorted.toReversed().flatMap(([name, stat]): Op[] => [
      ...(owners.kind === 'single'
        ? []
        : [
            {
              op: 'fchownat' as const,
              ...at(name),
              owner: insideId(owners, 'uids', Number(stat.uid)),
              group: insideId(owners, 'gids', Number(stat.gid)),
              flags: 0,
            },
          ]),
      { op: 'fchmodat', ...at(name), mode: Number(stat.mode & 0o7777n) },
      {
        op: 'utimensat',
        ...at(name),
        atime_sec: 0,
        atime_nsec: UTIME.OMIT,
        ...mtimeOf(stat),
        flags: 0,
      },
    ]),
  ];
}

/** Before 1970, too, the kernel counts nanoseconds forward from a whole second. */
function mtimeOf({ mtimeNs }: BigIntStats): { mtime_sec: number; mtime_nsec: number } {
  const nanoseconds = ((mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { mtime_sec: Number((mtimeNs - nanoseconds) / 1_000_000_000n), mtime_nsec: Number(nanoseconds) };
}
