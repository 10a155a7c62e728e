import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { FILE_BOUNDS } from '@lamella/syscall';
import { IMAGE_BOUNDS } from '../image-bounds.js';
import { ImageError } from '../image-error.js';
import { ConfigSchema, IndexSchema, ManifestSchema, MEDIA_TYPES, type OciDescriptor, OF_A_SOURCE, parseDocument } from '../store/oci-schema.js';
import { choosePlatform } from './platform.js';
import type { Platform, SourceImage } from './source-image.js';

/** image-spec says that clients may refuse larger ones; registries do. */
export const DOCUMENT_MAX: number = FILE_BOUNDS.document.bytes;
const SCHEMA1 = /vnd\.docker\.distribution\.manifest\.v1\+/;

/** A manifest or an index, as its bytes. */
export interface ManifestDocument {
  readonly content: Buffer;
  /** Empty when nobody says. */
  readonly mediaType: string;
}

/** Who has manifests and blobs by their digests: a layout, a directory, a registry. */
export interface BlobSource {
  /** What messages call the image there. */
  readonly where: string;
  /** @throws ImageError when it is not there */
  manifest(descriptor: OciDescriptor): Promise<ManifestDocument>;
  document(descriptor: OciDescriptor): Promise<Buffer>;
  open(descriptor: OciDescriptor, signal?: AbortSignal): Promise<Readable>;
  /** Whether it has a manifest, where that is soon told: archives of an index have those of some platforms only. */
  has?(descriptor: OciDescriptor): Promise<boolean>;
}

/**
 * The image of a manifest, or, of an index, the one for a platform. Its documents are verified; its layers
 * are read when they are opened.
 *
 * @throws ImageError `SOURCE_INVALID`, `DIGEST_MISMATCH`, `PLATFORM_MISSING`, `MANIFEST_UNSUPPORTED`
 */
export async function manifestImage(first: ManifestDocument, source: BlobSource, platform: Platform): Promise<Omit<SourceImage, 'names'>> {
  const { where } = source;
  let { content, mediaType } = first;
  const seen = new Set<string>();
  while (isIndex(mediaType, content)) {
    const { manifests } = parseDocument(IndexSchema, content.toString('utf8'), where, OF_A_SOURCE);
    const chosen = choosePlatform(await presentOf(manifests, source), platform, where);
    if (seen.has(chosen.digest) || seen.size >= IMAGE_BOUNDS.indexes)
      throw new ImageError({
        code: 'SOURCE_INVALID',
        message: `the index of ${where} leads to more than ${IMAGE_BOUNDS.indexes} indexes, one after the other`,
        hint: 'It is made to do damage.',
      });
    seen.add(chosen.digest);
    ({ content, mediaType } = await source.manifest(chosen));
    verifyDigest(content, chosen.digest, where, chosen.size);
  }
  if (mediaType && !(MEDIA_TYPES.manifest as readonly string[]).includes(mediaType))
    throw new ImageError({
      code: 'MANIFEST_UNSUPPORTED',
      message: `${where} is of type ${mediaType}`,
      hint: SCHEMA1.test(mediaType) ? 'Docker gave that format up in 2017: push the image anew with any current tool.' : 'It is not an image that can be run.',
    });
  const manifest = parseDocument(ManifestSchema, content.toString('utf8'), where, OF_A_SOURCE);
  const config = await source.document(manifest.config);
  verifyDigest(config, manifest.config.digest, `the config of ${where}`, manifest.config.size);
  const { rootfs } = parseDocument(ConfigSchema, config.toString('utf8'), `the config of ${where}`, OF_A_SOURCE);
  if (rootfs.diff_ids.length !== manifest.layers.length)
    throw new ImageError({
      code: 'SOURCE_INVALID',
      message: `the manifest of ${where} has ${manifest.layers.length} layers, its config ${rootfs.diff_ids.length}`,
      hint: 'The image is damaged.',
    });
  return {
    config,
    manifest: { content, mediaType: mediaType || manifest.mediaType || MEDIA_TYPES.manifest[0] },
    layers: manifest.layers.map((layer, i) => ({
      diffID: rootfs.diff_ids[i] ?? '',
      expected: { digest: layer.digest, size: layer.size },
      open: (signal) => source.open(layer, signal),
    })),
  };
}

/** The manifests that are there; if there are none, what is missing is told by name. */
async function presentOf(manifests: readonly OciDescriptor[], source: BlobSource): Promise<readonly OciDescriptor[]> {
  if (!source.has) return manifests;
  const present: OciDescriptor[] = [];
  for (const each of manifests) if (await source.has(each)) present.push(each);
  return present.length ? present : manifests;
}

/** By its media type, or, for the careless, by what it has. */
function isIndex(mediaType: string, content: Buffer): boolean {
  if ((MEDIA_TYPES.index as readonly string[]).includes(mediaType)) return true;
  if ((MEDIA_TYPES.manifest as readonly string[]).includes(mediaType)) return false;
  return /"manifests"\s*:/.test(content.toString('utf8', 0, 4096)) && !/"layers"\s*:/.test(content.toString('utf8'));
}

/** @throws ImageError `DIGEST_MISMATCH` */
export function verifyDigest(content: Buffer, digest: string, what: string, size: number = content.length): void {
  const is = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  if (is === digest && size === content.length) return;
  const why = is === digest ? `has ${content.length} bytes instead of ${size}` : `is ${is}`;
  throw new ImageError({ code: 'DIGEST_MISMATCH', message: `${what} ${why}`, hint: 'It was damaged on its way, or somebody changed it: fetch it again.' });
}
