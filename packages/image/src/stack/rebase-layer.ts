import { readdirSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { AT_FDCWD, lockFile, type Op, runInUserNamespace, WHITEOUT } from '@lamella/syscall';
import { isTreeUntouched, noteVerified } from '../check/verified-times.js';
import { applyLayer } from '../layer/apply-layer.js';
import { ImageError } from '../model/image-error.js';
import type { StackCheck } from '../model/layer-check.js';
import { layerMeta, writeLayerMeta } from '../store/layer-meta.js';
import { makeDirectory } from '../store/make-directory.js';
import type { StorePaths } from '../store/store-paths.js';
import { putTree, temporaryLayer } from '../store/temporary-layer.js';
import { printable } from '../tar/entry.js';
import { rebasedLayer } from './chain.js';
import { compareTrees } from './compare-trees.js';
import { follow, hides, isOpaque, type NotedLayer, shown, statOf } from './layer-stack.js';

/** What a layer leans on in the layers below it: other things by name and file on the host, and directories by name. */
interface Leaning {
  readonly others: ReadonlyMap<string, string>;
  readonly directories: ReadonlySet<string>;
}

/**
 * Whether a layer cannot be unpacked for itself as it would be on top of others, because
 *
 * - it has entries below what is a symbolic link in the layers below: Docker follows that link;
 * - it hides names below what is a file there: there is nothing to hide, and the file stays;
 * - it has hard links to files that only the layers below have.
 *
 * @param layer as it was unpacked for itself
 * @param below the layers it lies on, the topmost first
 * @throws ImageError `LAYER_ENTRY_FAILED` when there is no such file there, either
 */
function leaning(layer: NotedLayer, below: readonly NotedLayer[]): Leaning | undefined {
  const others = new Map<string, string>();
  const directories = new Set<string>();
  const along = (name: string, hasEntries = () => true): string => {
    const way = follow(below, name);
    if (!way.links.size) return way.to;
    for (const [link, file] of way.links) {
      others.set(link, file);
      for (let parent = path.posix.dirname(link); parent !== '.'; parent = path.posix.dirname(parent)) directories.add(parent);
    }
    // What marks alone are in is not made: there is nothing to hide.
    for (const directory of way.directories) if (shown(below, directory) || hasEntries()) directories.add(directory);
    return way.to;
  };
  for (const name of layer.meta.implied)
    if (statOf(layer, name)?.isDirectory() && !isOpaque(layer, name) && !hides(layer, name)) along(name, () => !hasOnlyMarks(layer, name));
  for (const name of new Set([...(layer.meta.whiteoutDirectories ?? []), ...(layer.meta.opaque ?? [])])) {
    const file = fileWithMarks(layer, below, name);
    if (!file) continue;
    others.set(file.name, file.file);
    for (let parent = path.posix.dirname(file.name); parent !== '.'; parent = path.posix.dirname(parent)) directories.add(parent);
  }
  const made = new Set<string>();
  for (const { path: name, target } of layer.meta.lowerLinks ?? []) {
    // A link to a link that could not be made is made with it.
    if (!made.has(target)) {
      const slash = target.lastIndexOf('/');
      const to = path.posix.join(along(target.slice(0, Math.max(0, slash))), target.slice(slash + 1));
      const found = shown(below, to);
      if (!found || found.stat.isDirectory())
        throw new ImageError({
          code: 'LAYER_ENTRY_FAILED',
          message: `'${printable(name)}' cannot be unpacked: it is a hard link to '${printable(target)}', which is ${found ? 'a directory' : 'nowhere'} (${found ? 'EPERM' : 'ENOENT'})`,
          hint: 'Nothing of the image was kept.',
        });
      others.set(to, found.file);
      for (let parent = path.posix.dirname(to); parent !== '.'; parent = path.posix.dirname(parent)) directories.add(parent);
    }
    made.add(name);
  }
  return others.size ? { others, directories } : undefined;
}

/**
 * The file of the layers below that a directory would hide which a layer has only for the marks in it.
 *
 * @param name the directory of a mark
 */
function fileWithMarks(layer: NotedLayer, below: readonly NotedLayer[], name: string): { readonly name: string; readonly file: string } | undefined {
  const parts = name.split('/');
  for (let i = 1; i <= parts.length; i++) {
    const at = parts.slice(0, i).join('/');
    if (!layer.meta.implied.includes(at) || layer.meta.replaced?.includes(at) || hides(layer, at) || !statOf(layer, at)?.isDirectory()) continue;
    const found = shown(below, at);
    if (found && !found.stat.isDirectory() && !found.stat.isSymbolicLink()) return hasOnlyMarks(layer, at) ? { name: at, file: found.file } : undefined;
  }
  return undefined;
}

/** Whether a directory of a layer holds nothing but what hides names, and directories that hold nothing else. */
function hasOnlyMarks(layer: NotedLayer, name: string): boolean {
  return readdirSync(path.join(layer.path, name)).every((entry) => {
    const at = `${name}/${entry}`;
    const stat = statOf(layer, at);
    if (stat?.isDirectory()) return layer.meta.implied.includes(at) && hasOnlyMarks(layer, at);
    return layer.meta.marks === 'files' ? entry.startsWith(WHITEOUT) : stat?.isCharacterDevice() === true && stat.rdev === 0n;
  });
}

/**
 * A layer as it is on top of certain others, where that is not what it is for itself: unpacked
 * again, into a directory that holds from the beginning what it leans on. Files are there as hard
 * links to the layers below, so that nothing is copied, and a link to one of them is one with it.
 *
 * @param id the chainID of the stack of which it is the topmost
 * @param blob opens its archive
 * @param check compare one that was made before. Default: it is taken as it is
 * @returns undefined when the layer needs nothing of that
 * @throws ImageError those of {@link applyLayer}
 */
export async function rebaseLayer(
  paths: StorePaths,
  layer: NotedLayer,
  below: readonly NotedLayer[],
  id: string,
  blob: () => Promise<FileHandle>,
  check?: StackCheck,
): Promise<NotedLayer | undefined> {
  const leans = leaning(layer, below);
  if (!leans) return undefined;
  await using _turn = await lockFile(paths.lock(`rebased-${id.slice(7, 9)}`));
  const ready = rebasedLayer(paths, id);
  if (ready && (!check || (!check.full && (await isTreeUntouched(paths, paths.rebasedLayer(id)))))) return ready;
  const { layer: made, right } = await derive(paths, { layer, leans, id, ready }, blob, check);
  // The links that this took have changed the times of the files below.
  if (ready && right) await noteVerified(paths, paths.rebasedLayer(id), Date.now());
  return made;
}

interface Rebasing {
  readonly layer: NotedLayer;
  readonly leans: Leaning;
  readonly id: string;
  /** What there is. */
  readonly ready: NotedLayer | undefined;
}

/** @returns what there is now, and whether that is what it should be */
async function derive(
  paths: StorePaths,
  { layer, leans, id, ready }: Rebasing,
  blob: () => Promise<FileHandle>,
  check: StackCheck | undefined,
): Promise<{ readonly layer: NotedLayer | undefined; readonly right: boolean }> {
  await using temporary = await temporaryLayer(paths);
  const directories = [...leans.directories].sort();
  await runInUserNamespace([
    ...directories.map((name): Op => ({ op: 'mkdirat', dirfd: AT_FDCWD, pathname: path.join(temporary.tree, name), mode: 0o755 })),
    ...[...leans.others].map(
      ([name, file]): Op => ({ op: 'linkat', olddirfd: AT_FDCWD, oldpath: file, newdirfd: AT_FDCWD, newpath: path.join(temporary.tree, name), flags: 0 }),
    ),
  ]);
  const source = (await blob()).createReadStream({ highWaterMark: 256 * 1024 });
  const applied = await applyLayer(source, temporary.tree, { isPromised: true, lowerNames: { directories, others: [...leans.others.keys()] } });
  if (applied.diffID !== layer.diffID)
    throw new ImageError({ code: 'STORE_CORRUPT', message: `the blob of layer ${layer.diffID} contains ${applied.diffID}`, hint: 'Bring the image in again.' });
  await writeLayerMeta(path.join(temporary.directory, 'meta.json'), layerMeta(id, applied));
  if (ready && check) {
    const differences = await compareTrees(ready.path, temporary.tree, layerMeta(id, applied));
    if (!differences.count) return { layer: ready, right: true };
    check.report(id, { problem: 'it is not what its blob and the layers below make of it', differences, repaired: check.repair });
    if (!check.repair) return { layer: ready, right: false };
  }
  makeDirectory(paths.rebased);
  await putTree(temporary.directory, paths.rebasedLayer(id));
  return { layer: rebasedLayer(paths, id), right: true };
}
