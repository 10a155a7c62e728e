import { type FileHandle, open, rename } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { FileError, type HeldLock, ignoreMissing, lockFile } from '@lamella/syscall';
import { blobProblem, publishedTimes } from '../check/verify-blob.js';
import { isAsUnpacked, replaceLayer, verifyLayer } from '../check/verify-layer.js';
import { sizeOf } from '../describe/size-of.js';
import { applyLayer } from '../layer/apply-layer.js';
import type { AddOptions } from '../model/add-options.js';
import type { AddedImage } from '../model/added-image.js';
import type { AppliedLayer, LayerBlob } from '../model/applied-layer.js';
import type { ApplyOptions } from '../model/apply-options.js';
import { IMAGE_BOUNDS } from '../model/image-bounds.js';
import { ImageError } from '../model/image-error.js';
import type { StackCheck } from '../model/layer-check.js';
import type { Platform } from '../model/platform.js';
import type { Reference } from '../model/reference.js';
import { collectGarbage } from '../removal/collect-garbage.js';
import { formatPlatform, hostPlatform, rankOf } from '../source/choose-platform.js';
import type { SourceImage, SourceLayer } from '../source/source-image.js';
import { lastOfEach } from '../stack/chain.js';
import type { NotedLayer } from '../stack/layer-stack.js';
import { stackLayers } from '../stack/stack-layers.js';
import { clearPlace } from '../store/clear-place.js';
import { isWhole, type LayerMeta, noteBlob, notedBlobs, readLayerMeta } from '../store/layer-meta.js';
import { ConfigSchema, MEDIA_TYPES, type OciConfig, type OciDescriptor, type OciManifest, OF_A_SOURCE, parseDocument } from '../store/oci-schema.js';
import { readIndex, withManifest, withoutRecovered, writeIndex } from '../store/store-index.js';
import { type StorePaths, stagedName } from '../store/store-paths.js';
import { sweepTemporary, type TemporaryLayer, temporaryLayer } from '../store/temporary-layer.js';
import { writeBlob } from '../store/write-blob.js';
import { destroyOnFailure } from '../streams/destroy-on-failure.js';

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
 * Adds an image to the store: its layers at the same time and each only once, also among processes;
 * then, all at once, its names. On an error the names are what they were, and layers that were
 * finished serve the next attempt until something collects them.
 *
 * @throws ImageError `DIGEST_MISMATCH`, `DIFFID_MISMATCH`, and those of {@link applyLayer}
 */
export async function addImage(paths: StorePaths, image: SourceImage, references: readonly Reference[], options: AddOptions = {}): Promise<AddedImage> {
  await sweepTemporary(paths);
  const config = parseDocument(ConfigSchema, image.config.toString('utf8'), 'the config of the image', OF_A_SOURCE);
  const published = publishedTimes(paths);
  const { size } = new Set(config.rootfs.diff_ids);
  if (size > IMAGE_BOUNDS.layers)
    throw new ImageError({
      code: 'IMAGE_TOO_MANY_LAYERS',
      message: `the image has ${size} layers; more than ${IMAGE_BOUNDS.layers} are refused, for overlayfs could not join them with those of a container`,
      hint: 'Make one of several of them: build it with --squash, or export a container of it and import that.',
    });
  const abort = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, abort.signal]) : abort.signal;
  const staged = new Map<string, StagedLayer>();
  // The largest first: a long one that starts last is waited for alone.
  const waiting = [...new Map(image.layers.map((layer) => [layer.diffID, layer])).values()].sort((a, b) => (b.expected?.size ?? 0) - (a.expected?.size ?? 0));
  const work = async (): Promise<void> => {
    for (let layer = waiting.shift(); layer; layer = waiting.shift())
      staged.set(layer.diffID, await stageLayer(paths, layer, { ...options, published, signal }));
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
    await stack(paths, image, staged, options);
    const digest = await publishStaged(paths, image, references, staged);
    const all = [...staged.values()];
    return {
      references,
      digest,
      layers: image.layers.length,
      unpacked: all.filter((layer) => layer.unpacked).length,
      warnings: [...platformWarnings(config, options.platform ?? hostPlatform()), ...all.flatMap((layer) => layer.warnings)],
    };
  } finally {
    await Promise.all([...staged.values()].map(({ hold }) => hold[Symbol.asyncDispose]()));
  }
}

/** An image outside of an index is taken whatever it is for: it may be wanted for another machine. */
function platformWarnings({ os, architecture, variant }: OciConfig, wanted: Platform): string[] {
  if (!architecture || rankOf({ os, architecture, variant }, wanted) !== undefined) return [];
  return [`the image is for ${formatPlatform({ os, architecture, variant })}, not for ${formatPlatform(wanted)}`];
}

async function stageLayer(
  paths: StorePaths,
  layer: SourceLayer,
  options: AddOptions & { readonly published: ReadonlyMap<string, number> },
): Promise<StagedLayer> {
  const { diffID, expected } = layer;
  const lock = { ...(options.signal ? { signal: options.signal } : {}) };
  await using _turn = await lockFile(paths.lock(`layer-${diffID.slice(7, 9)}`), lock);
  const blob = await verifiedBlob(paths, diffID, expected?.digest, options);
  const there = blob && (await holdLayer(paths, diffID));
  // A removal may have taken the blob away before the layer was held. Now it cannot.
  if (there && (await hasBlob(paths, diffID, blob))) {
    options.onProgress?.({ diffID, state: 'present', bytes: blob.size, total: blob.size });
    return { blob, warnings: there.meta.warnings, unpacked: false, hold: there.hold };
  }
  await there?.hold[Symbol.asyncDispose]();
  await using temporary = await temporaryLayer(paths);
  const applied = await unpackInto(temporary, await layer.open(options.signal), {
    ...(options.signal ? { signal: options.signal } : {}),
    ...(expected ? { expectedSize: expected.size } : {}),
    isPromised: true,
    onProgress: ({ bytes }) => options.onProgress?.({ diffID, state: 'unpacking', bytes, total: expected?.size }),
    verify: (found) => verify(layer, found),
  });
  const hold = await stage(paths, temporary, applied);
  options.onProgress?.({ diffID, state: 'done', bytes: applied.blob.size, total: applied.blob.size });
  return { blob: applied.blob, warnings: applied.warnings, unpacked: true, hold };
}

/** Whether a layer's blob is with the others, or still with its layer. */
async function hasBlob(paths: StorePaths, diffID: string, { digest, size }: LayerBlob): Promise<boolean> {
  for (const file of [paths.blob(digest), paths.stagedBlob(diffID, digest)]) if ((await sizeOf(file)) === size) return true;
  return false;
}

/** So often another command may move or remove a blob while it is looked at. */
const LOOKS = 20;

/** As {@link soundBlob}; the layer's tree was compared with it, unless that is trusted. */
async function verifiedBlob(
  paths: StorePaths,
  diffID: string,
  wanted: string | undefined,
  options: AddOptions & { readonly published: ReadonlyMap<string, number> },
): ReturnType<typeof soundBlob> {
  for (let looks = 1; ; looks++) {
    const blob = await soundBlob(paths, diffID, wanted, options);
    if (!blob || options.trusted) return blob;
    try {
      await verifyLayer(paths, diffID, blob, { full: false, repair: true });
      return blob;
    } catch (error) {
      // An image that is published takes its blobs from beside the layer, and a removal takes them away.
      if (!(error instanceof FileError) || error.problem !== 'missing' || error.file !== blob.file || looks === LOOKS) throw error;
    }
  }
}

/** One of the blobs that a layer was unpacked from, which is there and what it should be. */
async function soundBlob(
  paths: StorePaths,
  diffID: string,
  wanted: string | undefined,
  { published, trusted = false }: { readonly published: ReadonlyMap<string, number>; readonly trusted?: boolean },
): Promise<(LayerBlob & { readonly file: string }) | undefined> {
  const meta = readLayerMeta(paths.meta(diffID));
  for (const blob of meta ? notedBlobs(paths.layer(diffID), meta) : []) {
    if (wanted !== undefined && wanted !== blob.digest) continue;
    for (const file of [paths.blob(blob.digest), paths.stagedBlob(diffID, blob.digest)]) {
      const since = trusted ? Number.MAX_VALUE : published.get(blob.digest);
      if ((await blobProblem(file, blob, since)) === undefined) return { ...blob, file };
    }
  }
  return undefined;
}

/**
 * Moves a layer to its final path while it is being written. It is held until an image
 * refers to it, or the lock is given back.
 */
export async function stageNewLayer(
  paths: StorePaths,
  archive: Readable,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<AppliedLayer & { readonly hold: HeldLock }> {
  const options = signal ? { signal } : {};
  return await destroyOnFailure(archive, async () => {
    await using temporary = await temporaryLayer(paths);
    const applied = await unpackInto(temporary, archive, options);
    await using _turn = await lockFile(paths.lock(`layer-${applied.diffID.slice(7, 9)}`), options);
    // Awaited here: the turn and the directory are ours until then.
    return { ...applied, hold: await stage(paths, temporary, applied) };
  });
}

/** Unpacks a stacked layer beside the others, and keeps its blob. */
async function unpackInto(
  temporary: TemporaryLayer,
  archive: Readable,
  {
    verify: check,
    ...options
  }: Pick<ApplyOptions, 'signal' | 'expectedSize' | 'isPromised' | 'onProgress'> & { readonly verify?: (applied: AppliedLayer) => void },
): Promise<AppliedLayer> {
  return await destroyOnFailure(archive, async () => {
    const handle = await open(temporary.blob, 'wx', 0o644);
    try {
      const applied = await applyLayer(archive, temporary.tree, { ...options, stacked: true, tee: (chunk) => handle.writeFile(chunk) });
      check?.(applied);
      await handle.sync();
      return applied;
    } finally {
      await handle.close();
    }
  });
}

/** Holds a layer that is in place and whole; undefined when there is none. */
async function holdLayer(paths: StorePaths, diffID: string): Promise<{ readonly hold: HeldLock; readonly meta: LayerMeta } | undefined> {
  const hold = await lockFile(paths.meta(diffID), { create: false, shared: true }).catch((error: { code?: string }) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!hold) return undefined;
  // Another process may have collected it before the lock was held.
  const meta = readLayerMeta(paths.meta(diffID));
  if (meta && isWhole(meta, paths)) return { hold, meta };
  await hold[Symbol.asyncDispose]();
  return undefined;
}

/** Moves a finished layer to its final path, with its blob beside it until an image refers to it, and held from the first moment. The layer's turn is ours. */
async function stage(paths: StorePaths, temporary: TemporaryLayer, applied: AppliedLayer): Promise<HeldLock> {
  const { digest } = applied.blob;
  if (await isAsUnpacked(paths, temporary, applied)) {
    const there = await holdLayer(paths, applied.diffID);
    if (there) {
      // The same content in another compression: the tree may be mounted, and only the blob is news.
      await clearPlace(paths.stagedBlob(applied.diffID, digest));
      await rename(temporary.blob, paths.stagedBlob(applied.diffID, digest));
      await using _index = await lockFile(paths.lock('index'));
      const noted = notedBlobs(paths.layer(applied.diffID), there.meta);
      if (!noted.some((each) => each.digest === digest)) await noteBlob(paths.layer(applied.diffID), applied.blob);
      return there.hold;
    }
  }
  await rename(temporary.blob, path.join(temporary.directory, stagedName(digest)));
  return await replaceLayer(paths, temporary, applied, async (meta) => await lockFile(meta, { create: false, shared: true }));
}

function verify({ diffID, expected }: SourceLayer, { blob, diffID: is }: AppliedLayer): void {
  const hint = 'It was damaged or changed on its way: fetch it again.';
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
async function stack(paths: StorePaths, image: SourceImage, staged: ReadonlyMap<string, StagedLayer>, { trusted }: AddOptions): Promise<void> {
  const layers = lastOfEach(image.layers.map(({ diffID }) => diffID)).map((diffID): NotedLayer => {
    const meta = readLayerMeta(paths.meta(diffID));
    // Its lock is held.
    if (!meta) throw new ImageError({ code: 'STORE_CORRUPT', message: `${paths.meta(diffID)} was removed`, hint: 'Bring the image in again.' });
    return { diffID, path: paths.tree(diffID), lock: paths.meta(diffID), meta };
  });
  const archive = async (diffID: string): Promise<FileHandle> => {
    const { blob } = staged.get(diffID) as StagedLayer;
    // Another process that fetches the same layer may publish it in this moment; or stage it again, and then the published one may be collected.
    const beside = paths.stagedBlob(diffID, blob.digest);
    for (const file of [beside, paths.blob(blob.digest), beside]) {
      const handle = await open(file).catch(ignoreMissing);
      if (handle) return handle;
    }
    throw new ImageError({ code: 'STORE_CORRUPT', message: `the blob of layer ${diffID} was removed`, hint: 'Bring the image in again.' });
  };
  const check: StackCheck = { full: false, repair: true, report: () => undefined };
  await stackLayers(paths, layers.toReversed(), archive, trusted ? undefined : check);
}

/** Everything that the image needs is there: let the names lead to it, under one lock. */
async function publishStaged(
  paths: StorePaths,
  image: SourceImage,
  references: readonly Reference[],
  staged: ReadonlyMap<string, StagedLayer>,
): Promise<string> {
  await using _index = await lockFile(paths.lock('index'));
  for (const [diffID, { blob }] of staged) {
    const beside = paths.stagedBlob(diffID, blob.digest);
    // What is beside the layer was just verified; what is with the others, when there is none.
    if ((await sizeOf(beside)) !== blob.size) {
      if ((await sizeOf(paths.blob(blob.digest))) === blob.size) continue;
      // Staging does not take the index lock: it may have come after the first look.
      if ((await sizeOf(beside)) !== blob.size)
        throw new ImageError({ code: 'STORE_CORRUPT', message: `the blob of layer ${diffID} was removed`, hint: 'Bring the image in again.' });
    }
    await clearPlace(paths.blob(blob.digest));
    await rename(beside, paths.blob(blob.digest));
  }
  const config = await writeBlob(paths, MEDIA_TYPES.config, image.config);
  const manifest = image.manifest ?? { mediaType: MEDIA_TYPES.manifest[0], content: Buffer.from(JSON.stringify(manifestOf(image, config, staged))) };
  const descriptor = await writeBlob(paths, manifest.mediaType, manifest.content);
  let index = withoutRecovered(readIndex(paths), descriptor);
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
