import { createHash } from 'node:crypto';
import { ImageError } from '../model/image-error.js';
import type { Platform } from '../model/platform.js';
import { formatReference, parseReference, type Reference } from '../model/reference.js';
import { IndexSchema, MEDIA_TYPES, type OciDescriptor, OF_A_SOURCE, parseDocument } from '../store/oci-schema.js';
import { REF_NAME } from '../store/store-index.js';
import { choosePlatform } from './choose-platform.js';
import { namesBeside } from './docker-archive.js';
import { type BlobSource, DOCUMENT_MAX, manifestImage, verifyDigest } from './manifest-image.js';
import type { MemberFiles } from './member-files.js';
import type { ListedImage, SourceImage } from './source-image.js';

/** Where containerd, and with it Docker and buildx, puts the whole name; `ref.name` is then the tag alone. */
const IMAGE_NAME = 'io.containerd.image.name';
const REFERENCE_TYPE = 'vnd.docker.reference.type';
const IMAGES: readonly string[] = [...MEDIA_TYPES.index, ...MEDIA_TYPES.manifest, ''];

/**
 * The images of an OCI image layout (image-layout.md), in a directory or a tar.
 *
 * @param wanted a name in it (`org.opencontainers.image.ref.name`, `io.containerd.image.name`, or in `manifest.json`); all when missing
 * @throws ImageError `SOURCE_INVALID`, `SOURCE_INCOMPLETE`, `SOURCE_NAME_UNKNOWN`
 */
export async function ociLayoutImages(files: MemberFiles, wanted: string | undefined, platform: Platform): Promise<ListedImage[]> {
  const text = (await files.read('index.json', DOCUMENT_MAX)).toString('utf8');
  const index = parseDocument(IndexSchema, text, `index.json in ${files.where}`, OF_A_SOURCE);
  const images = index.manifests.filter(isImage);
  const beside = await namesBeside(files);
  const called = wanted === undefined ? images : images.filter((each) => isCalled(each, wanted));
  const named = called.length || wanted === undefined ? called : await calledBeside(files, images, { wanted, beside, platform });
  if (!named.length)
    throw new ImageError({
      code: 'SOURCE_NAME_UNKNOWN',
      message: wanted === undefined ? `${files.where} has no image` : `${files.where} has no image '${wanted}'`,
      hint: `It has: ${distinct([...images.flatMap(namesOf), ...[...beside.values()].flat()]).join(', ') || 'none with a name'}.`,
    });
  const byDigest = Map.groupBy(ofPlatform(named, platform, files.where), ({ digest }) => digest);
  return [...byDigest.values()].map((descriptors): ListedImage => {
    const [first] = descriptors as [OciDescriptor, ...OciDescriptor[]];
    const names = descriptors.flatMap(namesOf);
    return { what: names[0] ?? first.digest, open: () => openImage(files, first, names, beside, platform) };
  });
}

async function openImage(
  files: MemberFiles,
  descriptor: OciDescriptor,
  names: readonly string[],
  beside: ReadonlyMap<string, readonly string[]>,
  platform: Platform,
): Promise<SourceImage> {
  const source = blobsOf(files, `${descriptor.digest} in ${files.where}`, (digest) => `blobs/${digest.replace(':', '/')}`);
  const first = await source.manifest(descriptor);
  verifyDigest(first.content, descriptor.digest, source.where, descriptor.size);
  const image = await manifestImage(first, source, platform);
  const config = `sha256:${createHash('sha256').update(image.config).digest('hex')}`;
  const all = [...names, ...(beside.get(config) ?? [])].flatMap(referencesOf);
  return { ...image, names: [...new Map(all.map((name) => [formatReference(name), name])).values()] };
}

/** What a layout has beside images is nobody's business here (image-layout.md): signatures, attestations, other media types. */
function isImage({ mediaType, annotations, platform }: OciDescriptor): boolean {
  return IMAGES.includes(mediaType) && annotations?.[REFERENCE_TYPE] === undefined && platform?.os !== 'unknown';
}

/** The names of an image, as they are written there. A tag beside the whole name adds nothing. */
function namesOf({ annotations }: OciDescriptor): string[] {
  const whole = annotations?.[IMAGE_NAME];
  const name = annotations?.[REF_NAME];
  return [whole, whole !== undefined && name !== undefined && whole.endsWith(`:${name}`) ? undefined : name].filter(
    (each) => each !== undefined && each !== '',
  ) as string[];
}

function isCalled(descriptor: OciDescriptor, wanted: string): boolean {
  const names = namesOf(descriptor);
  if (names.includes(wanted) || descriptor.annotations?.[REF_NAME] === wanted) return true;
  const [reference] = referencesOf(wanted);
  const whole = reference && formatReference(reference);
  return whole !== undefined && names.flatMap(referencesOf).some((name) => formatReference(name) === whole);
}

/** The images that have a name in `manifest.json` only. That lists configs, so each image is read. */
async function calledBeside(
  files: MemberFiles,
  images: readonly OciDescriptor[],
  { wanted, beside, platform }: { readonly wanted: string; readonly beside: ReadonlyMap<string, readonly string[]>; readonly platform: Platform },
): Promise<OciDescriptor[]> {
  const whole = wholeName(wanted);
  if (![...beside.values()].flat().some((name) => wholeName(name) === whole)) return [];
  const found: OciDescriptor[] = [];
  for (const each of images)
    try {
      const { names } = await openImage(files, each, [], beside, platform);
      if (names.some((name) => formatReference(name) === whole)) found.push(each);
    } catch (error) {
      // An image that is damaged, or for other platforms, does not hide the others.
      if (!(error instanceof ImageError)) throw error;
    }
  return found;
}

/** The whole form of a name; the name itself where it has none. */
function wholeName(name: string): string {
  const [reference] = referencesOf(name);
  return reference ? formatReference(reference) : name;
}

/** The names without those that are other spellings of an earlier one. */
function distinct(names: readonly string[]): readonly string[] {
  const byWhole = new Map<string, string>();
  for (const name of names) if (!byWhole.has(wholeName(name))) byWhole.set(wholeName(name), name);
  return [...byWhole.values()];
}

/** Of those that have one name, or none, and differ by their platforms, the one for a platform: some tools make no index of them. */
function ofPlatform(descriptors: readonly OciDescriptor[], wanted: Platform, where: string): OciDescriptor[] {
  const groups = Map.groupBy(descriptors, (each) => namesOf(each).join(' '));
  return [...groups.values()].flatMap((group) => {
    const platforms = new Set(group.map(({ platform }) => platform && [platform.os, platform.architecture, platform.variant].join('/')));
    return group.length > 1 && platforms.size === group.length && !platforms.has(undefined) ? [choosePlatform(group, wanted, where)] : group;
  });
}

/** A name that is only a tag, as skopeo writes, names nothing by itself. */
function referencesOf(name: string): Reference[] {
  if (!/[/:]/.test(name)) return [];
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
    has: ({ digest }) => files.has(nameOfManifest(digest)),
  };
}
