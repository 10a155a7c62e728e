import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { decompressor, detectCompression, explainInflateError } from '../compression/compression.js';
import { ImageError } from '../model/image-error.js';
import { familiarReference, formatReference, type Reference } from '../model/reference.js';
import { readConfig, readManifest } from '../store/image-documents.js';
import { readLayerMeta } from '../store/layer-meta.js';
import type { OciDescriptor, OciManifest } from '../store/oci-schema.js';
import { REF_NAME } from '../store/store-index.js';
import type { StorePaths } from '../store/store-paths.js';
import { firstChunk } from '../streams/first-chunk.js';
import { TarOutput } from './tar-output.js';

/** The format of a saved archive: of docker-save(1), or an OCI image layout. */
export type SaveFormat = 'docker-archive' | 'oci-archive';

export interface SavedImage {
  readonly reference: Reference;
  readonly descriptor: OciDescriptor;
}

/**
 * Writes images as one archive: what `docker load` reads (which `podman load`, skopeo and we read, too),
 * or an OCI image layout in a tar.
 *
 * @throws ImageError `STORE_CORRUPT`
 */
export async function saveImages(paths: StorePaths, images: readonly SavedImage[], format: SaveFormat, output: Writable): Promise<void> {
  const tar = new TarOutput(output);
  if (format === 'oci-archive') await saveLayout(paths, images, tar);
  else await saveDocker(paths, images, tar);
  await tar.end();
}

async function saveLayout(paths: StorePaths, images: readonly SavedImage[], tar: TarOutput): Promise<void> {
  const written = new Set<string>();
  const blob = async ({ digest, size }: OciDescriptor): Promise<void> => {
    if (written.has(digest)) return;
    written.add(digest);
    await tar.stream(`blobs/${digest.replace(':', '/')}`, size, await openBlob(paths, digest));
  };
  // A layout has these directories (image-layout.md), and some readers look for them as entries.
  await tar.directory('blobs/');
  await tar.directory('blobs/sha256/');
  for (const { descriptor } of images) {
    const manifest = readManifest(paths, descriptor);
    for (const each of [...manifest.layers, manifest.config, descriptor]) await blob(each);
  }
  const manifests = images.map(({ reference, descriptor }) => ({
    ...descriptor,
    annotations: { ...descriptor.annotations, [REF_NAME]: formatReference(reference) },
  }));
  await tar.file('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  await tar.file('index.json', json({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests }));
}

async function saveDocker(paths: StorePaths, images: readonly SavedImage[], tar: TarOutput): Promise<void> {
  const written = new Set<string>();
  const entries = new Map<string, { Config: string; RepoTags: string[]; Layers: string[] }>();
  for (const { reference, descriptor } of images) {
    const { name, tag } = familiarReference(reference);
    const known = entries.get(descriptor.digest);
    if (known) {
      if (reference.tag !== undefined) known.RepoTags.push(`${name}:${tag}`);
      continue;
    }
    const manifest = readManifest(paths, descriptor);
    const { rootfs } = readConfig(paths, manifest);
    const Layers: string[] = [];
    for (const [i, diffID] of rootfs.diff_ids.entries()) {
      const file = `${diffID.slice(7)}.tar`;
      Layers.push(file);
      if (written.has(file)) continue;
      written.add(file);
      await plainLayer(paths, manifest, i, diffID, file, tar);
    }
    const config = `${manifest.config.digest.slice(7)}.json`;
    if (!written.has(config)) await tar.stream(config, manifest.config.size, await openBlob(paths, manifest.config.digest));
    written.add(config);
    entries.set(descriptor.digest, { Config: config, RepoTags: reference.tag === undefined ? [] : [`${name}:${tag}`], Layers });
  }
  await tar.file('manifest.json', json([...entries.values()]));
}

/** Docker's archives hold layers without their compression. */
async function plainLayer(paths: StorePaths, manifest: OciManifest, i: number, diffID: string, file: string, tar: TarOutput): Promise<void> {
  // As many layers as diffIDs: the store has verified that.
  const { digest } = manifest.layers[i] as OciDescriptor;
  const size = readLayerMeta(paths.meta(diffID))?.size;
  if (size === undefined)
    throw new ImageError({ code: 'STORE_CORRUPT', message: `the layer ${diffID} is not unpacked`, hint: 'Run the image once, or bring it in again.' });
  const { chunk, all } = await firstChunk(await openBlob(paths, digest));
  const compression = detectCompression(chunk);
  if (compression === 'none') return tar.stream(file, size, all);
  const inflate = await decompressor(compression);
  try {
    // As a pipeline, so that what fails at either end fails the whole.
    await pipeline(Readable.from(all), inflate, (plain: AsyncIterable<Buffer>) => tar.stream(file, size, plain));
  } catch (error) {
    throw explainInflateError(error);
  }
}

async function openBlob(paths: StorePaths, digest: string): Promise<Readable> {
  const file = paths.blob(digest);
  await stat(file).catch((cause: NodeJS.ErrnoException) => {
    throw new ImageError({
      code: 'STORE_CORRUPT',
      message: `${file} cannot be read: ${cause.code}`,
      hint: 'Remove the image (lamella rmi) and bring it in again.',
      cause,
    });
  });
  return createReadStream(file, { highWaterMark: 256 * 1024 });
}

const json = (document: unknown): Buffer => Buffer.from(JSON.stringify(document));
