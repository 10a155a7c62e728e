import { Readable } from 'node:stream';
import type { Platform } from '../model/platform.js';
import { formatReference, type Reference } from '../model/reference.js';
import { type BlobSource, DOCUMENT_MAX, type ManifestDocument, manifestImage, verifyDigest } from '../source/manifest-image.js';
import type { SourceImage } from '../source/source-image.js';
import { MEDIA_TYPES } from '../store/oci-schema.js';
import { headerOf, mediaTypeOf } from './answer.js';
import { downloadBlob } from './download-blob.js';
import type { RegistryClient } from './registry-client.js';

const ACCEPT = [...MEDIA_TYPES.index, ...MEDIA_TYPES.manifest].join(', ');

/**
 * An image of a registry, by tag or digest. Its layers are fetched when they are opened.
 *
 * @throws ImageError `REGISTRY_*`, `DIGEST_MISMATCH`, `SOURCE_INVALID`, `PLATFORM_MISSING`, `MANIFEST_UNSUPPORTED`
 */
export async function registryImage(client: RegistryClient, reference: Reference, platform: Platform): Promise<SourceImage> {
  const where = formatReference(reference);
  const first = await manifest(client, reference.digest ?? reference.tag ?? 'latest');
  if (reference.digest) verifyDigest(first.content, reference.digest, where);
  const source: BlobSource = {
    where,
    manifest: ({ digest }) => manifest(client, digest),
    document: async ({ digest }) => (await client.read(`blobs/${digest}`, {}, DOCUMENT_MAX, `the blob ${digest} of ${where}`)).content,
    open: async (layer, signal) => Readable.from(joined(downloadBlob(client, layer, signal)), { highWaterMark: 2 }),
  };
  return { ...(await manifestImage(first, source, platform)), names: [reference] };
}

async function manifest(client: RegistryClient, which: string): Promise<ManifestDocument> {
  const where = `the manifest ${which} of ${client.domain}/${client.repository}`;
  const answer = await client.read(`manifests/${which}`, { headers: { accept: ACCEPT } }, DOCUMENT_MAX, where);
  const said = headerOf(answer, 'docker-content-digest')?.trim();
  // Of other algorithms it is not known here; without one it is what the content is.
  if (said && /^sha256:[0-9a-f]{64}$/.test(said)) verifyDigest(answer.content, said, `the manifest ${which}, which ${client.domain} says is ${said},`);
  return { content: answer.content, mediaType: mediaTypeOf(answer) };
}

/** As much is passed on at once: what comes from a socket comes in many small pieces. */
const PIECE = 512 * 1024;

/** Joins small pieces of a stream to larger ones. */
async function* joined(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let length = 0;
  for await (const piece of pieces) {
    waiting.push(piece);
    length += piece.length;
    if (length < PIECE) continue;
    yield waiting.length === 1 ? piece : Buffer.concat(waiting, length);
    waiting = [];
    length = 0;
  }
  if (length) yield Buffer.concat(waiting, length);
}
