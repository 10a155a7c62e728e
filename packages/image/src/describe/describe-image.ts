import type { ImageError } from '../model/image-error.js';
import type { Reference } from '../model/reference.js';
import { readConfig, readManifest } from '../store/image-documents.js';
import { readLayerMeta } from '../store/layer-meta.js';
import type { OciConfig, OciDescriptor, OciManifest } from '../store/oci-schema.js';
import { findManifest, readIndex, referenceOf } from '../store/store-index.js';
import type { StorePaths } from '../store/store-paths.js';

/** All that the store knows of an image. */
export interface ImageDescription {
  readonly names: readonly Reference[];
  readonly digest: string;
  readonly mediaType: string;
  readonly manifest: OciManifest;
  readonly config: OciConfig;
  readonly layers: readonly {
    readonly diffID: string;
    readonly blob: OciDescriptor;
    readonly entries: number | undefined;
    readonly size: number | undefined;
  }[];
}

/** @throws ImageError `IMAGE_NOT_FOUND`, `STORE_CORRUPT` */
export function describeImage(paths: StorePaths, reference: Reference, missing: () => ImageError): ImageDescription {
  const index = readIndex(paths);
  const descriptor = findManifest(index, reference);
  if (!descriptor) throw missing();
  const manifest = readManifest(paths, descriptor);
  const config = readConfig(paths, manifest);
  const names = index.manifests.filter(({ digest }) => digest === descriptor.digest).map(referenceOf);
  return {
    names: names.filter((name) => name !== undefined),
    digest: descriptor.digest,
    mediaType: manifest.mediaType ?? descriptor.mediaType,
    manifest,
    config,
    layers: manifest.layers.map((blob, i) => {
      const diffID = config.rootfs.diff_ids[i] ?? '';
      const meta = readLayerMeta(paths.meta(diffID));
      return { diffID, blob, entries: meta?.entries, size: meta?.size };
    }),
  };
}

/** One step of an image's making (image-spec, config.md, "history"), the last first. */
export interface HistoryStep {
  readonly created: string | undefined;
  readonly createdBy: string;
  readonly comment: string | undefined;
  /** The layer it made; nothing for steps that changed the config only. */
  readonly layer: { readonly digest: string; readonly size: number } | undefined;
}

/** Returns the steps of an image's making, the last first, with the layer that each made. */
export function historyOf({ config, manifest }: ImageDescription): readonly HistoryStep[] {
  let next = 0;
  const steps = (config.history ?? []).map((step): HistoryStep => {
    const layer = step.empty_layer ? undefined : manifest.layers[next++];
    return { created: step.created, createdBy: step.created_by ?? '', comment: step.comment, layer: layer && { digest: layer.digest, size: layer.size } };
  });
  // Layers that no step tells of are there all the same.
  const untold = manifest.layers
    .slice(next)
    .map(({ digest, size }): HistoryStep => ({ created: undefined, createdBy: '', comment: undefined, layer: { digest, size } }));
  return [...steps, ...untold].reverse();
}
