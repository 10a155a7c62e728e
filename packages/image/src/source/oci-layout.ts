import { createHash } from 'node:crypto';
import { ImageError } from '../image-error.js';
import { parseReference, type Reference } from '../reference.js';
import {
  ConfigSchema,
  IndexSchema,
  ManifestSchema,
  MEDIA_TYPES,
  type OciDescriptor,
  type OciIndex,
  type OciManifest,
  parseDocument,
} from '../store/oci-schema.js';
import { REF_NAME } from '../store/store-index.js';
import type { MemberFiles } from './member-files.js';
import { choosePlatform } from './platform.js';
import type { Platform, SourceImage } from './source-image.js';

/** image-spec says that clients may refuse larger ones; registries do. */
export const DOCUMENT_MAX: number = 4 << 20;
/** An index in an index is allowed; a chain of them is a trap. */
const MAX_DEPTH = 4;

/**
 * The images of an OCI image layout (image-layout.md), in a directory or a tar.
 *
 * @param wanted a name in it (`org.opencontainers.image.ref.name`); all when missing
 * @throws ImageError `SOURCE_INVALID`, `SOURCE_INCOMPLETE`, `SOURCE_NAME_UNKNOWN`, `DIGEST_MISMATCH`, `PLATFORM_MISSING`
 */
export async function ociLayoutImages(files: MemberFiles, wanted: string | undefined, platform: Platform): Promise<SourceImage[]> {
  const index = parseDocument(IndexSchema, (await files.read('index.json', DOCUMENT_MAX)).toString('utf8'), `index.json in ${files.where}`);
  const named = index.manifests.filter((each) => wanted === undefined || nameOf(each) === wanted);
  if (!named.length)
    throw new ImageError({
      code: 'SOURCE_NAME_UNKNOWN',
      message: wanted === undefined ? `${files.where} has no image` : `${files.where} has no image '${wanted}'`,
      hint: `It has: ${index.manifests.map(nameOf).filter(Boolean).join(', ') || 'none with a name'}.`,
    });
  const images = new Map<string, SourceImage>();
  for (const descriptor of named) {
    const image = await imageOf(files, descriptor, platform);
    const known = images.get(descriptor.digest);
    images.set(descriptor.digest, { ...image, names: [...(known?.names ?? []), ...referencesOf(nameOf(descriptor))] });
  }
  return [...images.values()];
}

function nameOf(descriptor: OciDescriptor): string | undefined {
  return descriptor.annotations?.[REF_NAME];
}

/** A name that is only a tag, as skopeo writes, names nothing by itself. */
function referencesOf(name: string | undefined): Reference[] {
  if (!name || !/[/:]/.test(name)) return [];
  try {
    return [parseReference(name)];
  } catch (error) {
    if (error instanceof ImageError) return [];
    throw error;
  }
}

async function imageOf(files: MemberFiles, descriptor: OciDescriptor, platform: Platform): Promise<Omit<SourceImage, 'names'>> {
  let at = descriptor;
  let content = await verified(files, at);
  const seen = new Set<string>();
  while (isIndex(at, content)) {
    if (seen.has(at.digest) || seen.size >= MAX_DEPTH)
      throw new ImageError({
        code: 'SOURCE_INVALID',
        message: `the index ${at.digest} in ${files.where} leads to indexes without an end`,
        hint: 'It is made to do damage.',
      });
    seen.add(at.digest);
    const index: OciIndex = parseDocument(IndexSchema, content.toString('utf8'), `${at.digest} in ${files.where}`);
    at = choosePlatform(index.manifests, platform, files.where);
    content = await verified(files, at);
  }
  return manifestImage(files, content, at, blobName);
}

/** The image of a manifest whose blobs lie by names made of their digests. */
async function manifestImage(
  files: MemberFiles,
  content: Buffer,
  { mediaType, digest }: Pick<OciDescriptor, 'mediaType' | 'digest'>,
  blobName: (digest: string) => string,
): Promise<Omit<SourceImage, 'names'>> {
  const manifest: OciManifest = parseDocument(ManifestSchema, content.toString('utf8'), `${digest} in ${files.where}`);
  const config = await verified(files, manifest.config, blobName);
  const { rootfs } = parseDocument(ConfigSchema, config.toString('utf8'), `${manifest.config.digest} in ${files.where}`);
  if (rootfs.diff_ids.length !== manifest.layers.length)
    throw new ImageError({
      code: 'SOURCE_INVALID',
      message: `the manifest ${digest} has ${manifest.layers.length} layers, its config ${rootfs.diff_ids.length}`,
      hint: 'The image is damaged.',
    });
  return {
    config,
    manifest: { content, mediaType: manifest.mediaType ?? mediaType },
    layers: manifest.layers.map((layer, i) => ({
      diffID: rootfs.diff_ids[i] ?? '',
      expected: { digest: layer.digest, size: layer.size },
      open: (signal) => files.open(blobName(layer.digest), signal),
    })),
  };
}

/**
 * The image of a directory as `skopeo copy … dir:` writes it (containers-transports(5)): a manifest, and
 * beside it the blobs by the digits of their digests.
 *
 * @throws ImageError those of {@link ociLayoutImages}
 */
export async function directoryImage(files: MemberFiles, platform: Platform): Promise<SourceImage> {
  const digits = (digest: string): string => digest.slice(digest.indexOf(':') + 1);
  let content = await files.read('manifest.json', DOCUMENT_MAX);
  let at = { mediaType: '', digest: 'manifest.json' };
  if (isIndex(at, content)) {
    const { manifests } = parseDocument(IndexSchema, content.toString('utf8'), `manifest.json in ${files.where}`);
    const chosen = choosePlatform(manifests, platform, files.where);
    content = await verified(files, chosen, (digest) => `${digits(digest)}.manifest.json`);
    at = chosen;
  }
  return { ...(await manifestImage(files, content, { ...at, mediaType: at.mediaType || MEDIA_TYPES.manifest[0] }, digits)), names: [] };
}

/** By its media type, or, for the careless, by what it has. */
export function isIndex({ mediaType }: Pick<OciDescriptor, 'mediaType'>, content: Buffer): boolean {
  if ((MEDIA_TYPES.index as readonly string[]).includes(mediaType)) return true;
  if ((MEDIA_TYPES.manifest as readonly string[]).includes(mediaType)) return false;
  return /"manifests"\s*:/.test(content.toString('utf8', 0, 4096)) && !/"layers"\s*:/.test(content.toString('utf8'));
}

function blobName(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

async function verified(files: MemberFiles, { digest, size }: OciDescriptor, name = blobName): Promise<Buffer> {
  const content = await files.read(name(digest), DOCUMENT_MAX);
  verifyDigest(content, digest, `${name(digest)} in ${files.where}`, size);
  return content;
}

/** @throws ImageError `DIGEST_MISMATCH` */
export function verifyDigest(content: Buffer, digest: string, what: string, size: number = content.length): void {
  const is = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  if (is === digest && size === content.length) return;
  const why = is === digest ? `has ${content.length} bytes instead of ${size}` : `is ${is}`;
  throw new ImageError({ code: 'DIGEST_MISMATCH', message: `${what} ${why}`, hint: 'It was damaged on its way, or somebody changed it: fetch it again.' });
}
