import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ImageError } from '../image-error.js';
import { formatReference, type Reference } from '../reference.js';
import { type BlobSource, DOCUMENT_MAX, type ManifestDocument, manifestImage, verifyDigest } from '../source/manifest-image.js';
import type { Platform, SourceImage } from '../source/source-image.js';
import { MEDIA_TYPES, type OciDescriptor } from '../store/oci-schema.js';
import type { RegistryClient } from './registry-client.js';

const ACCEPT = [...MEDIA_TYPES.index, ...MEDIA_TYPES.manifest].join(', ');
/** How often a blob that breaks off is taken up again where it did, without any byte in between. */
const RESUMES = 5;

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
    document: async ({ digest }) => (await document(client, `blobs/${digest}`, { accept: '*/*' })).content,
    open: async (layer, signal) => Readable.from(joined(blob(client, layer, signal)), { highWaterMark: 2 }),
  };
  return { ...(await manifestImage(first, source, platform)), names: [reference] };
}

function manifest(client: RegistryClient, which: string): Promise<ManifestDocument> {
  return document(client, `manifests/${which}`, { accept: ACCEPT });
}

async function document(client: RegistryClient, path: string, headers: Readonly<Record<string, string>>): Promise<ManifestDocument> {
  const response = await client.ask(path, { headers });
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > DOCUMENT_MAX)
      throw new ImageError({
        code: 'DOCUMENT_TOO_LARGE',
        message: `${client.domain}/${client.repository}/${path} has more than the ${DOCUMENT_MAX} bytes that are taken`,
        hint: 'It is damaged, or made to do damage.',
      });
    chunks.push(chunk);
  }
  return {
    content: Buffer.concat(chunks),
    mediaType:
      String(response.headers['content-type'] ?? '')
        .split(';')[0]
        ?.trim() ?? '',
  };
}

/** As much is passed on at once: what comes from a socket comes in many small pieces. */
const PIECE = 512 * 1024;

/** Join small pieces of a stream to larger ones. */
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

/** The bytes of a blob. Where the connection breaks they go on from there (RFC 9110, 14). */
async function* blob(client: RegistryClient, { digest, size }: OciDescriptor, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  let got = 0;
  for (let stuck = 0; ; ) {
    const before = got;
    let failure: unknown;
    try {
      const response = await client.ask(`blobs/${digest}`, { ...(got ? { headers: { range: `bytes=${got}-` } } : {}), accept: [416] });
      // Who does not know ranges begins at the beginning.
      let skip = response.status === 206 ? 0 : got;
      if (response.status === 416)
        throw new ImageError({
          code: 'SIZE_MISMATCH',
          message: `${client.domain} has only ${got} of the ${size} bytes of ${digest}`,
          hint: 'The registry is damaged; push the image again.',
        });
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        signal?.throwIfAborted();
        const rest = skip >= chunk.length ? undefined : skip ? chunk.subarray(skip) : chunk;
        skip = Math.max(0, skip - chunk.length);
        if (!rest) continue;
        got += rest.length;
        yield rest;
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof ImageError) throw error;
      failure = error;
    }
    // More than promised is for the reader to refuse; less may just have been cut off.
    if (got >= size && failure === undefined) return;
    stuck = got > before ? 0 : stuck + 1;
    if (stuck >= RESUMES)
      throw new ImageError({
        code: 'REGISTRY_INTERRUPTED',
        message: `the blob ${digest} breaks off after ${got} of ${size} bytes, again and again`,
        hint: 'Try again: the layers that have arrived are kept.',
        cause: failure,
      });
    await sleep(100 * 2 ** stuck, undefined, signal ? { signal } : {});
  }
}
