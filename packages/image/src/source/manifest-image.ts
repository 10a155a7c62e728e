import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { FILE_BOUNDS } from '@lamella/syscall';
import * as v from 'valibot';
import { IMAGE_BOUNDS } from '../model/image-bounds.js';
import { ImageError } from '../model/image-error.js';
import type { Platform } from '../model/platform.js';
import {
  ConfigSchema,
  IndexSchema,
  ManifestSchema,
  MEDIA_TYPES,
  type OciConfig,
  type OciDescriptor,
  type OciManifest,
  OF_A_SOURCE,
  parseDocument,
} from '../store/oci-schema.js';
import { candidatesFor, platformMissing, rankOf } from './choose-platform.js';
import type { SourceImage } from './source-image.js';

/** image-spec says that clients may refuse larger ones; registries do. */
export const DOCUMENT_MAX: number = FILE_BOUNDS.document.bytes;
const SCHEMA1 = 'application/vnd.docker.distribution.manifest.v1+';

/** What tells manifests and indexes from each other. */
const Anything = v.optional(v.unknown());
const AnyDocument = v.looseObject({ schemaVersion: Anything, mediaType: Anything, manifests: Anything, layers: Anything, config: Anything });

/** A manifest or an index, as its bytes. */
export interface ManifestDocument {
  readonly content: Buffer;
  /** Empty when nobody says. */
  readonly mediaType: string;
}

/** A place with manifests and blobs by their digests: a layout, a directory, a registry. */
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
  const found = await find(first, { source, platform, tried: 0 }, []);
  if (!found) throw platformMissing(manifestsOf(first, where), platform, where);
  const { content, mediaType, manifest, config } = found;
  const { rootfs } = parseConfig(config, where);
  if (rootfs.diff_ids.length !== manifest.layers.length)
    throw new ImageError({
      code: 'SOURCE_INVALID',
      message: `the manifest of ${where} has ${manifest.layers.length} layers, its config ${rootfs.diff_ids.length}`,
      hint: 'The image is damaged.',
    });
  return {
    config,
    manifest: { content, mediaType },
    layers: manifest.layers.map((layer, i) => ({
      diffID: rootfs.diff_ids[i] ?? '',
      expected: { digest: layer.digest, size: layer.size },
      open: (signal) => source.open(layer, signal),
    })),
  };
}

interface Search {
  readonly source: BlobSource;
  readonly platform: Platform;
  /** Documents that were fetched to see what they are for. */
  tried: number;
}

interface FoundManifest {
  readonly content: Buffer;
  readonly mediaType: string;
  readonly manifest: OciManifest;
  readonly config: Buffer;
}

/** @param above digests of the indexes that lead to the document @returns undefined if there is nothing for the platform */
async function find(document: ManifestDocument, search: Search, above: readonly string[]): Promise<FoundManifest | undefined> {
  const { source, platform } = search;
  const { where } = source;
  const { isIndex, mediaType } = kindOf(document, where);
  if (!isIndex) return readManifest(document.content, mediaType, source);
  const manifests = await presentOf(manifestsOf(document, where), source);
  for (const each of candidatesFor(manifests, platform)) {
    const problem =
      above.includes(each.digest) || above.length >= IMAGE_BOUNDS.indexes
        ? `more than ${IMAGE_BOUNDS.indexes} indexes, one after the other`
        : search.tried++ >= IMAGE_BOUNDS.manifests
          ? `more than ${IMAGE_BOUNDS.manifests} documents that do not say what they are for`
          : undefined;
    if (problem) throw new ImageError({ code: 'SOURCE_INVALID', message: `the index of ${where} leads to ${problem}`, hint: 'It is made to do damage.' });
    const next = await source.manifest(each);
    verifyDigest(next.content, each.digest, where, each.size);
    const found = await find(next, search, [...above, each.digest]);
    // Some indexes of a single image do not say what it is for, and nor does the image.
    if (found && (each.platform || manifests.length === 1 || rankOf(parseConfig(found.config, where), platform) !== undefined)) return found;
  }
  return undefined;
}

async function readManifest(content: Buffer, mediaType: string, source: BlobSource): Promise<FoundManifest> {
  const { where } = source;
  const manifest = parseDocument(ManifestSchema, content.toString('utf8'), where, OF_A_SOURCE);
  const config = await source.document(manifest.config);
  verifyDigest(config, manifest.config.digest, `the config of ${where}`, manifest.config.size);
  return { content, mediaType, manifest, config };
}

const manifestsOf = ({ content }: ManifestDocument, where: string): readonly OciDescriptor[] =>
  parseDocument(IndexSchema, content.toString('utf8'), where, OF_A_SOURCE).manifests;

const parseConfig = (config: Buffer, where: string): OciConfig => parseDocument(ConfigSchema, config.toString('utf8'), `the config of ${where}`, OF_A_SOURCE);

/** The manifests that are there; if there are none, the error names what is missing. */
async function presentOf(manifests: readonly OciDescriptor[], source: BlobSource): Promise<readonly OciDescriptor[]> {
  if (!source.has) return manifests;
  const present: OciDescriptor[] = [];
  for (const each of manifests) if (await source.has(each)) present.push(each);
  return present.length ? present : manifests;
}

/** What servers say of a document that they know nothing of. */
const ANY_TYPE = ['', 'application/json', 'application/octet-stream', 'binary/octet-stream', 'text/plain'];

/**
 * Tells an index from a manifest: by the media type of the descriptor, else by its own, else by its fields.
 *
 * @throws ImageError `MANIFEST_UNSUPPORTED`; `SOURCE_INVALID` for one that could be taken for both (CVE-2021-41190)
 */
function kindOf({ content, mediaType: given }: ManifestDocument, where: string): { readonly isIndex: boolean; readonly mediaType: string } {
  const isGeneric = ANY_TYPE.includes(given);
  if (!isGeneric && !kindOfType(given)) throw unsupported(given, where);
  const { schemaVersion, mediaType, manifests, layers, config } = parseDocument(AnyDocument, content.toString('utf8'), where, OF_A_SOURCE);
  const own = typeof mediaType === 'string' ? mediaType.toLowerCase() : '';
  const type = isGeneric ? own : given;
  if (type && !kindOfType(type)) throw unsupported(type, where);
  if (schemaVersion === 1) throw unsupported(SCHEMA1, where);
  const hasManifests = Array.isArray(manifests);
  const hasImage = Array.isArray(layers) || (typeof config === 'object' && config !== null);
  const kind = kindOfType(type) ?? (hasManifests ? 'index' : 'manifest');
  if ((hasManifests && hasImage) || (kind === 'manifest' && hasManifests) || (kindOfType(own) ?? kind) !== kind)
    throw new ImageError({ code: 'SOURCE_INVALID', message: `${where} is a manifest and an index at once`, hint: 'It is made to do damage.' });
  return { isIndex: kind === 'index', mediaType: type || MEDIA_TYPES[kind][0] };
}

function kindOfType(type: string): 'index' | 'manifest' | undefined {
  return (['index', 'manifest'] as const).find((kind) => (MEDIA_TYPES[kind] as readonly string[]).includes(type));
}

function unsupported(type: string, where: string): ImageError {
  return new ImageError({
    code: 'MANIFEST_UNSUPPORTED',
    message: `${where} is of type ${type}`,
    hint: type.startsWith(SCHEMA1) ? 'Docker gave that format up in 2017: push the image anew with any current tool.' : 'It is not an image that can be run.',
  });
}

/** @throws ImageError `DIGEST_MISMATCH` */
export function verifyDigest(content: Buffer, digest: string, what: string, size: number = content.length): void {
  const is = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  if (is === digest && size === content.length) return;
  const why = is === digest ? `has ${content.length} bytes instead of ${size}` : `is ${is}`;
  throw new ImageError({ code: 'DIGEST_MISMATCH', message: `${what} ${why}`, hint: 'It was damaged or changed on its way: fetch it again.' });
}
