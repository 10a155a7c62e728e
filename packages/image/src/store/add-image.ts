import { open, rename } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { type HeldLock, lockFile } from '@lamella/syscall';
import { ImageError } from '../image-error.js';
import { type AppliedLayer, type ApplyOptions, applyLayer, type LayerBlob } from '../layer/apply-layer.js';
import type { Reference } from '../reference.js';
import type { SourceImage, SourceLayer } from '../source/source-image.js';
import { lastOfEach, stackLayers } from './chain.js';
import { collectGarbage } from './collect-garbage.js';
import { isWhole, type LayerMeta, layerMeta, noteBlob, notedBlobs, readLayerMeta, writeLayerMeta } from './layer-meta.js';
import type { NotedLayer } from './layer-stack.js';
import { ConfigSchema, MEDIA_TYPES, type OciDescriptor, type OciManifest, parseDocument } from './oci-schema.js';
import { sizeOf } from './size-of.js';
import { readIndex, withManifest, writeIndex } from './store-index.js';
import { type StorePaths, stagedName } from './store-paths.js';
import { removeTree, sweepTemporary, type TemporaryLayer, temporaryLayer } from './temporary-layer.js';
import { writeBlob } from './write-blob.js';

export interface LayerProgress {
  /** The path of the archive while that is all that is known of it. */
  readonly diffID: string;
  readonly state: 'unpacking' | 'done' | 'present';
  /** Bytes of the blob, so far and in all; the latter when the source knows. */
  readonly bytes: number;
  readonly total: number | undefined;
}

export interface AddOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LayerProgress) => void;
}

export interface AddedImage {
  readonly references: readonly Reference[];
  /** Digest of the manifest. */
  readonly digest: string;
  readonly layers: number;
  /** How many of them had to be unpacked. */
  readonly unpacked: number;
  readonly warnings: readonly string[];
}

/** As many layers at a time keep both an inflating and a writing core busy. */
const AT_ONCE = 4;

/** A layer that is in place, and kept there by a lock until the image refers to it. */
interface StagedLayer {
  readonly blob: LayerBlob;
  readonly warnings: readonly string[];
  readonly unpacked: boolean;
  readonly hold: HeldLock;
}

/**
 * Bring an image into the store: its layers at the same time and each only once, whoever else asks;
 * then, all at once, its names. On an error the names are what they were, and layers that were
 * finished serve the next attempt until something collects them.
 *
 * @throws ImageError `DIGEST_MISMATCH`, `DIFFID_MISMATCH`, and those of {@link applyLayer}
 */
export async function addImage(paths: StorePaths, image: SourceImage, references: readonly Reference[], options: AddOptions = {}): Promise<AddedImage> {
  await sweepTemporary(paths);
  const { rootfs } = parseDocument(ConfigSchema, image.config.toString('utf8'), 'the config of the image');
  if (!rootfs.diff_ids.length) throw new ImageError({ code: 'SOURCE_INVALID', message: 'the image has no layers', hint: 'There is nothing to run in it.' });
  const abort = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, abort.signal]) : abort.signal;
  const staged = new Map<string, StagedLayer>();
  // The largest first: a long one that starts last is waited for alone.
  const waiting = [...new Map(image.layers.map((layer) => [layer.diffID, layer])).values()].sort((a, b) => (b.expected?.size ?? 0) - (a.expected?.size ?? 0));
  const work = async (): Promise<void> => {
    for (let layer = waiting.shift(); layer; layer = waiting.shift()) staged.set(layer.diffID, await stageLayer(paths, layer, { ...options, signal }));
  };
  try {
    const outcomes = await Promise.allSettled(
      Array.from({ length: AT_ONCE }, () =>
        work().catch((error: unknown) => {
          // What the others do is not needed any more.
          abort.abort(error);
          throw error;
        }),
      ),
    );
    if (outcomes.some(({ status }) => status === 'rejected')) throw options.signal?.aborted ? options.signal.reason : abort.signal.reason;
    await stack(paths, image, staged);
    const digest = await publishImage(paths, image, references, staged);
    const all = [...staged.values()];
    return {
      references,
      digest,
      layers: image.layers.length,
      unpacked: all.filter((layer) => layer.unpacked).length,
      warnings: all.flatMap((layer) => layer.warnings),
    };
  } finally {
    await Promise.all([...staged.values()].map(({ hold }) => hold[Symbol.asyncDispose]()));
  }
}

async function stageLayer(paths: StorePaths, layer: SourceLayer, options: AddOptions): Promise<StagedLayer> {
  const { diffID, expected } = layer;
  const lock = { ...(options.signal ? { signal: options.signal } : {}) };
  await using _turn = await lockFile(paths.lock(`layer-${diffID.slice(7, 9)}`), lock);
  const there = await holdLayer(paths, diffID);
  if (there) {
    const { warnings } = there.meta;
    for (const blob of notedBlobs(paths.layer(diffID), there.meta)) {
      if ((expected && expected.digest !== blob.digest) || !(await hasBlob(paths, diffID, blob))) continue;
      options.onProgress?.({ diffID, state: 'present', bytes: blob.size, total: blob.size });
      return { blob, warnings, unpacked: false, hold: there.hold };
    }
    await there.hold[Symbol.asyncDispose]();
  }
  await using temporary = await temporaryLayer(paths);
  const applied = await unpackInto(temporary, await layer.open(options.signal), {
    ...(options.signal ? { signal: options.signal } : {}),
    ...(expected ? { expectedSize: expected.size } : {}),
    onProgress: ({ bytes }) => options.onProgress?.({ diffID, state: 'unpacking', bytes, total: expected?.size }),
    verify: (found) => verify(layer, found),
  });
  const hold = await stage(paths, temporary.directory, applied);
  options.onProgress?.({ diffID, state: 'done', bytes: applied.blob.size, total: applied.blob.size });
  return { blob: applied.blob, warnings: applied.warnings, unpacked: true, hold };
}

/**
 * Put a layer that nobody has seen yet in its place, while it is being written. It is held until an image
 * refers to it, or the lock is given back.
 */
export async function stageNewLayer(
  paths: StorePaths,
  archive: Readable,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<AppliedLayer & { readonly hold: HeldLock }> {
  const options = signal ? { signal } : {};
  await using temporary = await temporaryLayer(paths);
  const applied = await unpackInto(temporary, archive, options);
  await using _turn = await lockFile(paths.lock(`layer-${applied.diffID.slice(7, 9)}`), options);
  // Awaited here: the turn and the directory are ours until then.
  return { ...applied, hold: await stage(paths, temporary.directory, applied) };
}

/** Unpack a stacked layer beside the others, and keep its blob. */
async function unpackInto(
  temporary: TemporaryLayer,
  archive: Readable,
  { verify: check, ...options }: Pick<ApplyOptions, 'signal' | 'expectedSize' | 'onProgress'> & { readonly verify?: (applied: AppliedLayer) => void },
): Promise<AppliedLayer> {
  const handle = await open(temporary.blob, 'wx', 0o644);
  try {
    const applied = await applyLayer(archive, temporary.tree, { ...options, stacked: true, tee: (chunk) => handle.writeFile(chunk) });
    check?.(applied);
    await handle.sync();
    return applied;
  } finally {
    await handle.close();
  }
}

/** Hold a layer that is in place and whole; undefined when there is none. */
async function holdLayer(paths: StorePaths, diffID: string): Promise<{ readonly hold: HeldLock; readonly meta: LayerMeta } | undefined> {
  const hold = await lockFile(paths.meta(diffID), { create: false, shared: true }).catch((error: { code?: string }) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!hold) return undefined;
  // Somebody may have collected it before the lock was held.
  const meta = readLayerMeta(paths.meta(diffID));
  if (meta && isWhole(meta, paths)) return { hold, meta };
  await hold[Symbol.asyncDispose]();
  return undefined;
}

/** Put a finished layer in its place, with its blob beside it until an image refers to it, and held from the first moment. The layer's turn is ours. */
async function stage(paths: StorePaths, directory: string, applied: AppliedLayer): Promise<HeldLock> {
  const target = paths.layer(applied.diffID);
  const there = await holdLayer(paths, applied.diffID);
  if (there) {
    // The same content in another compression: the tree may be mounted, and only the blob is news.
    await rename(path.join(directory, 'blob'), paths.stagedBlob(applied.diffID, applied.blob.digest));
    await noteBlob(target, applied.blob);
    return there.hold;
  }
  await rename(path.join(directory, 'blob'), path.join(directory, stagedName(applied.blob.digest)));
  const meta = path.join(directory, 'meta.json');
  await writeLayerMeta(meta, layerMeta(applied.diffID, applied));
  const hold = await lockFile(meta, { create: false, shared: true });
  try {
    await removeTree(target);
    await rename(directory, target);
  } catch (error) {
    await hold[Symbol.asyncDispose]();
    throw error;
  }
  return hold;
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}

function verify({ diffID, expected }: SourceLayer, { blob, diffID: is }: AppliedLayer): void {
  const hint = 'It was damaged on its way, or somebody changed it: fetch it again.';
  if (expected && blob.digest !== expected.digest)
    throw new ImageError({ code: 'DIGEST_MISMATCH', message: `the layer ${expected.digest} came as ${blob.digest}`, hint });
  if (diffID !== is)
    throw new ImageError({
      code: 'DIFFID_MISMATCH',
      message: `the layer ${expected?.digest ?? diffID} contains ${is}, and the image promises ${diffID}`,
      hint,
    });
}

/** See that the layers go together, and make what their stack needs beside them: the first run finds it done. */
async function stack(paths: StorePaths, image: SourceImage, staged: ReadonlyMap<string, StagedLayer>): Promise<void> {
  const layers = lastOfEach(image.layers.map(({ diffID }) => diffID)).map((diffID): NotedLayer => {
    const meta = readLayerMeta(paths.meta(diffID));
    // Its lock is held.
    if (!meta) throw new ImageError({ code: 'STORE_CORRUPT', message: `${paths.meta(diffID)} was removed`, hint: 'Bring the image in again.' });
    return { diffID, path: paths.tree(diffID), lock: paths.meta(diffID), meta };
  });
  await stackLayers(paths, layers.toReversed(), async (diffID) => {
    const { blob } = staged.get(diffID) as StagedLayer;
    // Whoever brings in the same layer may put it with the others in this moment.
    for (const file of [paths.stagedBlob(diffID, blob.digest), paths.blob(blob.digest)]) {
      const handle = await open(file).catch(absent);
      if (handle) return handle;
    }
    throw new ImageError({ code: 'STORE_CORRUPT', message: `the blob of layer ${diffID} was removed`, hint: 'Bring the image in again.' });
  });
}

/** A layer's blob is with the others, or still with its layer. */
async function hasBlob(paths: StorePaths, diffID: string, { digest, size }: LayerBlob): Promise<boolean> {
  for (const file of [paths.blob(digest), paths.stagedBlob(diffID, digest)]) if ((await sizeOf(file)) === size) return true;
  return false;
}

/** Everything that the image needs is there: let the names lead to it, under one lock. */
async function publishImage(
  paths: StorePaths,
  image: SourceImage,
  references: readonly Reference[],
  staged: ReadonlyMap<string, StagedLayer>,
): Promise<string> {
  await using _index = await lockFile(paths.lock('index'));
  for (const [diffID, { blob }] of staged) {
    const beside = paths.stagedBlob(diffID, blob.digest);
    if ((await sizeOf(paths.blob(blob.digest))) !== blob.size) await rename(beside, paths.blob(blob.digest));
  }
  const config = await writeBlob(paths, MEDIA_TYPES.config, image.config);
  const manifest = image.manifest ?? { mediaType: MEDIA_TYPES.manifest[0], content: Buffer.from(JSON.stringify(manifestOf(image, config, staged))) };
  const descriptor = await writeBlob(paths, manifest.mediaType, manifest.content);
  let index = readIndex(paths);
  for (const reference of references) index = withManifest(index, reference, descriptor);
  await writeIndex(paths, index);
  await collectGarbage(paths);
  return descriptor.digest;
}

function manifestOf(image: SourceImage, config: OciDescriptor, staged: ReadonlyMap<string, StagedLayer>): OciManifest {
  return {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest[0],
    config,
    layers: image.layers.map(({ diffID }) => {
      // Each was staged, or we would not be here.
      const { blob } = staged.get(diffID) as StagedLayer;
      return { mediaType: MEDIA_TYPES.layer[blob.compression], digest: blob.digest, size: blob.size };
    }),
  };
}
