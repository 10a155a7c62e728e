import { createHash } from 'node:crypto';
import { type BigIntStats, lstatSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import path from 'node:path';
import { AT_FDCWD, lockFile, type Op, type Program, run, UTIME } from '@lamella/syscall';
import type { LayerDir } from '../image.js';
import { bootId, isWhole, type LayerMeta, readLayerMeta, writeLayerMeta } from './layer-meta.js';
import { makeDirectory } from './make-directory.js';
import type { StorePaths } from './store-paths.js';
import { removeTree, temporaryLayer } from './temporary-layer.js';

/** The id of a stack of layers (image-spec, config.md, "Layer ChainID"), from the bottom up. */
export function chainID(diffIDs: readonly string[]): string {
  return diffIDs.reduce((chain, diffID) => (chain ? `sha256:${createHash('sha256').update(`${chain} ${diffID}`).digest('hex')}` : diffID), '');
}

/** A layer with what its unpacking noted. */
export type NotedLayer = LayerDir & { readonly meta: LayerMeta };

/** Whether a stack could need anything beside its layers; layers are the topmost first. */
export function mayNeedChain(layers: readonly NotedLayer[]): boolean {
  return layers.some(({ meta }, i) => meta.whiteoutDirectories?.length || (i < layers.length - 1 && meta.implied.length));
}

/**
 * Layers are unpacked each for itself, whatever they are stacked on. Two things of a stack are lost
 * by that, and one more lower on top of all, which holds nothing but directories, gives them back:
 *
 * - A directory that a layer needs without listing it would hide the owner, mode and time that the
 *   layers below gave it.
 * - A whiteout in a directory that only one layer has would be listed in it: overlayfs looks for
 *   whiteouts only where it merges (readdir.c, `ovl_dir_is_real`).
 *
 * @param layers the topmost first
 * @returns the layer to be put on top; undefined when it would be empty
 */
export async function chainLayer(paths: StorePaths, layers: readonly NotedLayer[]): Promise<LayerDir | undefined> {
  const id = chainID(layers.map(({ diffID }) => diffID).toReversed());
  const found = (): { layer: LayerDir | undefined } | undefined => {
    const meta = readLayerMeta(paths.chainMeta(id));
    if (!meta || !isWhole(meta)) return undefined;
    return { layer: meta.entries ? { diffID: id, path: paths.chainTree(id), lock: paths.chainMeta(id) } : undefined };
  };
  const ready = found();
  if (ready) return ready.layer;
  await using _turn = await lockFile(paths.lock(`layer-${id.slice(7, 9)}`));
  const meanwhile = found();
  if (meanwhile) return meanwhile.layer;
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
  await run(build(temporary.tree, directories, layers));
  await writeLayerMeta(path.join(temporary.directory, 'meta.json'), {
    version: 1,
    diffID: id,
    entries: directories.size,
    size: 0,
    implied: [],
    warnings: [],
    bootId: bootId(),
    synced: false,
    unpackedAt: Date.now(),
  });
  makeDirectory(paths.chains);
  await removeTree(paths.chain(id));
  await rename(temporary.directory, paths.chain(id));
  return found()?.layer;
}

/** A directory that is seen and that no other layer adds to. */
function alone(layers: readonly NotedLayer[], at: number, name: string): BigIntStats | undefined {
  const layer = layers[at] as NotedLayer;
  // Either it is hidden, or it is merged with what is there.
  for (const above of layers.slice(0, at)) if (statOf(above, name) || hides(above, name)) return undefined;
  const own = statOf(layer, name);
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
  if (hides(layer, name) || layer.meta.replaced?.includes(name)) return undefined;
  // An opaque mark hides what is in a directory, not what the directory is.
  for (const below of layers.slice(at + 1)) {
    const stat = statOf(below, name);
    if (stat && !stat.isDirectory()) return undefined;
    if (stat && !below.meta.implied.includes(name)) return stat;
    if (hides(below, name) || below.meta.replaced?.includes(name)) return undefined;
  }
  return undefined;
}

function statOf(layer: LayerDir, name: string): BigIntStats | undefined {
  try {
    return lstatSync(path.join(layer.path, name), { throwIfNoEntry: false, bigint: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Whether something on the way to a name hides what the layers below have there. */
function hides(layer: NotedLayer, name: string): boolean {
  const parts = name.split('/');
  for (let i = 1; i < parts.length; i++) {
    const parent = parts.slice(0, i).join('/');
    const stat = statOf(layer, parent);
    if (!stat) return false;
    if (!stat.isDirectory() || isOpaque(layer, parent)) return true;
  }
  return false;
}

/** An opaque directory was listed with its whiteout; the writer notes those among what it implied. */
function isOpaque(layer: NotedLayer | undefined, name: string): boolean {
  return layer?.meta?.opaque?.includes(name) ?? false;
}

/** Ops that make the directories as they are to be. Parents that are only on the way are as the layers show them. */
function build(tree: string, directories: ReadonlyMap<string, BigIntStats>, layers: readonly LayerDir[]): Program {
  const all = new Map(directories);
  for (const name of directories.keys())
    for (let parent = path.posix.dirname(name); parent !== '.'; parent = path.posix.dirname(parent)) {
      const shown = layers.map((layer) => statOf(layer, parent)).find((stat) => stat !== undefined);
      if (shown && !all.has(parent)) all.set(parent, shown);
    }
  const sorted = [...all].sort(([a], [b]) => (a < b ? -1 : 1));
  const at = (name: string): { dirfd: number; pathname: string } => ({ dirfd: AT_FDCWD, pathname: path.join(tree, name) });
  const root = process.geteuid?.() === 0;
  return [
    ...sorted.map(([name]): Op => ({ op: 'mkdirat', ...at(name), mode: 0o700 })),
    // Children before parents: making a child changes its parent's time.
    ...sorted.toReversed().flatMap(([name, stat]): Op[] => [
      ...(root ? [{ op: 'fchownat' as const, ...at(name), owner: Number(stat.uid), group: Number(stat.gid), flags: 0 }] : []),
      { op: 'fchmodat', ...at(name), mode: Number(stat.mode & 0o7777n) },
      {
        op: 'utimensat',
        ...at(name),
        atime_sec: 0,
        atime_nsec: UTIME.OMIT,
        mtime_sec: Number(stat.mtimeNs / 1_000_000_000n),
        mtime_nsec: Number(stat.mtimeNs % 1_000_000_000n),
        flags: 0,
      },
    ]),
  ];
}
