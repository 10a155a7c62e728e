import { open } from 'node:fs/promises';
import { ImageError } from '../image-error.js';
import type { Reference } from '../reference.js';
import type { OciDescriptor } from '../store/oci-schema.js';
import { readManifest } from '../store/open-image.js';
import { readIndex, referenceOf } from '../store/store-index.js';
import type { StorePaths } from '../store/store-paths.js';
import type { RegistryClient } from './registry-client.js';

/** Uploads go in pieces of this size, each confirmed by the registry. */
const PIECE = 16 << 20;
const AT_ONCE = 3;

export interface PushProgress {
  readonly digest: string;
  readonly state: 'uploading' | 'done' | 'present' | 'mounted';
  readonly bytes: number;
  readonly total: number;
}

/**
 * Bring an image of the store into a registry: blobs that it lacks, then the manifest.
 *
 * @throws ImageError `REGISTRY_*`
 */
export async function pushImage(
  paths: StorePaths,
  client: RegistryClient,
  reference: Reference,
  descriptor: OciDescriptor,
  onProgress: (progress: PushProgress) => void = () => undefined,
): Promise<void> {
  const manifest = readManifest(paths, descriptor);
  const waiting = [...new Map([...manifest.layers, manifest.config].map((each) => [each.digest, each])).values()];
  const work = async (): Promise<void> => {
    for (let each = waiting.shift(); each; each = waiting.shift()) await pushBlob(paths, client, each, onProgress);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  await using handle = await open(paths.blob(descriptor.digest), 'r');
  const tag = reference.tag ?? reference.digest ?? 'latest';
  await client.ask(`manifests/${tag}`, {
    method: 'PUT',
    headers: { 'content-type': manifest.mediaType ?? descriptor.mediaType },
    body: await handle.readFile(),
  });
}

async function pushBlob(
  paths: StorePaths,
  client: RegistryClient,
  { digest, size }: OciDescriptor,
  onProgress: (progress: PushProgress) => void,
): Promise<void> {
  const tell = (state: PushProgress['state'], bytes: number): void => onProgress({ digest, state, bytes, total: size });
  const head = await client.ask(`blobs/${digest}`, { method: 'HEAD', accept: [404] });
  await drain(head.body);
  if (head.status === 200) return tell('present', size);
  const from = repositoryWith(paths, client, digest);
  const start = await client.ask(`blobs/uploads/${from ? `?mount=${digest}&from=${from}` : ''}`, { method: 'POST', headers: { 'content-length': '0' } });
  await drain(start.body);
  if (start.status === 201) return tell('mounted', size);
  let location = placeOf(client, start.headers.location, start);
  await using handle = await open(paths.blob(digest), 'r');
  for (let at = 0; at < size; ) {
    const piece = Buffer.alloc(Math.min(PIECE, size - at));
    await handle.read(piece, 0, piece.length, at);
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(piece.length), 'content-range': `${at}-${at + piece.length - 1}` };
    const answer = await client.ask(location, { method: 'PATCH', headers, body: piece });
    await drain(answer.body);
    location = placeOf(client, answer.headers.location, answer);
    at += piece.length;
    tell('uploading', at);
  }
  const end = new URL(location);
  end.searchParams.set('digest', digest);
  await drain((await client.ask(end.href, { method: 'PUT', headers: { 'content-length': '0' } })).body);
  tell('done', size);
}

/** Another repository of the same registry which is known to have a blob: it can be mounted from there. */
function repositoryWith(paths: StorePaths, client: RegistryClient, digest: string): string | undefined {
  for (const descriptor of readIndex(paths).manifests) {
    const reference = referenceOf(descriptor);
    if (reference?.domain !== client.domain || reference.path === client.repository) continue;
    if (readManifest(paths, descriptor).layers.some((layer) => layer.digest === digest)) return reference.path;
  }
  return undefined;
}

function placeOf(client: RegistryClient, location: string | string[] | undefined, { status }: { readonly status: number }): string {
  const place = [location].flat()[0];
  const url = place === undefined ? undefined : client.resolve(place);
  if (!url)
    throw new ImageError({
      code: 'REGISTRY_FAILED',
      message: `${client.domain} answers ${status} and does not say where to upload to`,
      hint: 'It does not follow the distribution specification.',
    });
  return url;
}

async function drain(body: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of body);
}
