import { ImageError } from '../image-error.js';
import { parseReference, type Reference } from '../reference.js';
import { IndexSchema, type OciDescriptor, parseDocument } from '../store/oci-schema.js';
import { REF_NAME } from '../store/store-index.js';
import { type BlobSource, DOCUMENT_MAX, manifestImage, verifyDigest } from './manifest-image.js';
import type { MemberFiles } from './member-files.js';
import type { Platform, SourceImage } from './source-image.js';

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
    const source = blobsOf(files, `${descriptor.digest} in ${files.where}`, (digest) => `blobs/${digest.replace(':', '/')}`);
    const first = await source.manifest(descriptor);
    verifyDigest(first.content, descriptor.digest, source.where, descriptor.size);
    const image = await manifestImage(first, source, platform);
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

/**
 * The image of a directory as `skopeo copy … dir:` writes it (containers-transports(5)): a manifest, and
 * beside it the blobs by the digits of their digests.
 *
 * @throws ImageError those of {@link ociLayoutImages}
 */
export async function directoryImage(files: MemberFiles, platform: Platform): Promise<SourceImage> {
  const digits = (digest: string): string => digest.slice(digest.indexOf(':') + 1);
  const first = { content: await files.read('manifest.json', DOCUMENT_MAX), mediaType: '' };
  const source = blobsOf(files, files.where, digits, (digest) => `${digits(digest)}.manifest.json`);
  return { ...(await manifestImage(first, source, platform)), names: [] };
}

/** The blobs among files, by names made of their digests. */
function blobsOf(files: MemberFiles, where: string, nameOfBlob: (digest: string) => string, nameOfManifest = nameOfBlob): BlobSource {
  return {
    where,
    manifest: async ({ digest, mediaType }) => ({ content: await files.read(nameOfManifest(digest), DOCUMENT_MAX), mediaType }),
    document: ({ digest }) => files.read(nameOfBlob(digest), DOCUMENT_MAX),
    open: ({ digest }, signal) => files.open(nameOfBlob(digest), signal),
  };
}
