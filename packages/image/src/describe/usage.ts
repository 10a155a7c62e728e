import { ImageError } from '../model/image-error.js';
import { formatReference } from '../model/reference.js';
import { readConfig, readManifest } from '../store/image-documents.js';
import { readLayerMeta } from '../store/layer-meta.js';
import type { OciConfig, OciDescriptor, OciManifest } from '../store/oci-schema.js';
import { readIndex, referenceOf } from '../store/store-index.js';
import type { StorePaths } from '../store/store-paths.js';

/** What the blobs of an image take, and how much of it is its alone. */
export interface ImageUsage {
  /** By whole name. */
  readonly name: string;
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly shared: number;
  readonly unique: number;
}

/** How much space a store takes, and which image takes which part. */
export interface StoreUsage {
  readonly images: readonly ImageUsage[];
  /** Bytes of all blobs, each once. */
  readonly blobs: number;
  /** Bytes of all layers as they were archived, uncompressed; the trees take about as much. */
  readonly trees: number;
}

/** Where the space of a store goes. A blob is shared when images of different digests have it. */
export function storeUsage(paths: StorePaths): StoreUsage {
  const users = new Map<string, Set<string>>();
  const sizes = new Map<string, number>();
  const diffIDs = new Set<string>();
  const images: { name: string; digest: string; blobs: OciDescriptor[] }[] = [];
  for (const descriptor of readIndex(paths).manifests) {
    const reference = referenceOf(descriptor);
    if (!reference) continue;
    const image = documentsOf(paths, descriptor);
    // What a damaged image takes is unknown; the check tells of it.
    if (!image) continue;
    const { manifest, config } = image;
    const blobs = [...new Map([descriptor, manifest.config, ...manifest.layers].map((each) => [each.digest, each])).values()];
    for (const diffID of config.rootfs.diff_ids) diffIDs.add(diffID);
    for (const { digest, size } of blobs) {
      sizes.set(digest, size);
      users.set(digest, (users.get(digest) ?? new Set()).add(descriptor.digest));
    }
    images.push({ name: formatReference(reference), digest: descriptor.digest, blobs });
  }
  const sum = (blobs: readonly { readonly size: number }[]): number => blobs.reduce((total, { size }) => total + size, 0);
  return {
    images: images.map(({ name, digest, blobs }) => {
      const size = sum(blobs);
      const shared = sum(blobs.filter((each) => (users.get(each.digest)?.size ?? 0) > 1));
      return { name, digest, size, shared, unique: size - shared };
    }),
    blobs: [...sizes.values()].reduce((total, size) => total + size, 0),
    trees: [...diffIDs].reduce((total, diffID) => total + (readLayerMeta(paths.meta(diffID))?.size ?? 0), 0),
  };
}

function documentsOf(paths: StorePaths, descriptor: OciDescriptor): { readonly manifest: OciManifest; readonly config: OciConfig } | undefined {
  try {
    const manifest = readManifest(paths, descriptor);
    return { manifest, config: readConfig(paths, manifest) };
  } catch (error) {
    if (error instanceof ImageError && error.code === 'STORE_CORRUPT') return undefined;
    throw error;
  }
}
