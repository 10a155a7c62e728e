import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { FileMemory } from '@lamella/syscall';
import { ImageError } from '../model/image-error.js';
import { formatReference, type Reference } from '../model/reference.js';
import { formatPlatform } from '../source/choose-platform.js';
import { damaged, readConfig, readManifest, readWhole } from '../store/image-documents.js';
import { isWhole, type LayerMeta, readLayerMeta } from '../store/layer-meta.js';
import { ConfigSchema, ManifestSchema, type OciConfig, type OciDescriptor, type OciManifest, parseDocument } from '../store/oci-schema.js';
import type { StorePaths } from '../store/store-paths.js';
import { lastOfEach } from './chain.js';
import type { Image, ImageConfig, ImagePlatform, ImageSummary } from './image.js';
import type { NotedLayer } from './layer-stack.js';
import { stackLayers } from './stack-layers.js';

/** What a process that starts many containers has read before. */
const MANIFESTS = new FileMemory<OciManifest>();
const CONFIGS = new FileMemory<OciConfig>();
/** Those of a layer of millions of names are large. */
const NOTES = new FileMemory<LayerMeta | undefined>(32);

/**
 * An image by its descriptor, its layers unpacked. Of its documents the sizes are looked at, not the digests: those were
 * right when they were written, {@link checkStore} and commands that pass an image on check again, and Node takes three
 * milliseconds to load a hash.
 */
export async function openImage(paths: StorePaths, reference: Reference, descriptor: OciDescriptor): Promise<Image> {
  const manifestFile = paths.blob(descriptor.digest);
  const manifest = MANIFESTS.get(`${descriptor.size} ${manifestFile}`, [manifestFile], () =>
    parseDocument(ManifestSchema, readWhole(manifestFile, descriptor.size), manifestFile),
  );
  const configFile = paths.blob(manifest.config.digest);
  const config = CONFIGS.get(`${manifest.config.size} ${configFile}`, [configFile], () =>
    parseDocument(ConfigSchema, readWhole(configFile, manifest.config.size), configFile),
  );
  const diffIDs = config.rootfs.diff_ids;
  if (diffIDs.length !== manifest.layers.length)
    throw new ImageError({
      code: 'STORE_CORRUPT',
      message: `the manifest and config of '${formatReference(reference)}' disagree about its layers`,
      hint: 'Remove the image (lamella rmi) and bring it in again.',
    });
  const layers: NotedLayer[] = [];
  const blobOf = (diffID: string): OciDescriptor => manifest.layers[diffIDs.indexOf(diffID)] as OciDescriptor;
  for (const diffID of lastOfEach(diffIDs)) {
    const file = paths.meta(diffID);
    let meta = NOTES.get(file, [file], () => readLayerMeta(file));
    if (!meta || !isWhole(meta, paths) || !existsSync(paths.tree(diffID))) {
      const { restoreLayer } = await import('../check/restore-layer.js');
      await restoreLayer(paths, diffID, blobOf(diffID));
      meta = readLayerMeta(paths.meta(diffID));
    }
    if (!meta) throw damaged(paths.meta(diffID), 'was removed meanwhile', undefined);
    layers.unshift({ diffID, path: paths.tree(diffID), lock: paths.meta(diffID), meta });
  }
  const all = await stackLayers(paths, layers, (diffID) => open(paths.blob(blobOf(diffID).digest)));
  return { reference, digest: descriptor.digest, layers: all, config: imageConfig(config), ...platformOf(config) };
}

function platformOf({ os, architecture, variant }: OciConfig): { platform?: ImagePlatform } {
  if (!architecture) return {};
  return { platform: { architecture, ...(os ? { os } : {}), ...(variant ? { variant } : {}) } };
}

function imageConfig({ config }: OciConfig): ImageConfig {
  return {
    env: config?.Env ?? [],
    entrypoint: config?.Entrypoint ?? [],
    cmd: config?.Cmd ?? [],
    ...(config?.User ? { user: config.User } : {}),
    // Docker takes a relative one from the root.
    ...(config?.WorkingDir ? { workingDir: config.WorkingDir.startsWith('/') ? config.WorkingDir : `/${config.WorkingDir}` } : {}),
    ...(config?.Volumes ? { volumes: Object.keys(config.Volumes) } : {}),
    ...(config?.StopSignal ? { stopSignal: config.StopSignal } : {}),
    ...(config?.ExposedPorts ? { exposedPorts: Object.keys(config.ExposedPorts) } : {}),
    ...(config?.Labels ? { labels: config.Labels } : {}),
  };
}

/** An image for a list of images; a damaged one is listed as such. */
export function summarize(paths: StorePaths, reference: Reference, descriptor: OciDescriptor): ImageSummary {
  try {
    const manifest = readManifest(paths, descriptor);
    const config = readConfig(paths, manifest);
    const size = [descriptor, manifest.config, ...manifest.layers].reduce((sum, each) => sum + each.size, 0);
    const platform = config.architecture ? { platform: formatPlatform(config) } : {};
    return { reference, digest: descriptor.digest, created: config.created, size, layers: config.rootfs.diff_ids, ...platform };
  } catch (error) {
    if (!(error instanceof ImageError) || error.code !== 'STORE_CORRUPT') throw error;
    return { reference, digest: descriptor.digest, created: undefined, size: 0, layers: [], damaged: error.message };
  }
}
