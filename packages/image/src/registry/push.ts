import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { ImageError } from '../model/image-error.js';
import type { PushProgress } from '../model/push-options.js';
import type { Reference } from '../model/reference.js';
import { readManifest } from '../store/image-documents.js';
import { MEDIA_TYPES, type OciDescriptor } from '../store/oci-schema.js';
import { readIndex, referenceOf } from '../store/store-index.js';
import type { StorePaths } from '../store/store-paths.js';
import { headerOf } from './answer.js';
import type { RegistryClient } from './registry-client.js';
import { uploadBlob } from './upload-blob.js';

const AT_ONCE = 3;

/**
 * Pushes an image of the store to a registry: blobs that it lacks, then the manifest.
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
  const answer = await client.ask(`manifests/${tag}`, {
    method: 'PUT',
    headers: { 'content-type': manifest.mediaType ?? descriptor.mediaType },
    body: await handle.readFile(),
  });
  await answer.body.dump();
  await verifyPushed(client, descriptor.digest, headerOf(answer, 'docker-content-digest')?.trim());
}

/** @throws ImageError `STORE_CORRUPT` */
async function requireWhole(file: string, size: number): Promise<void> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found?.size === size) return;
  throw new ImageError({
    code: 'STORE_CORRUPT',
    message: found ? `${file} has ${found.size} bytes instead of ${size}` : `${file} is missing`,
    hint: 'Mend the store: lamella system check --repair.',
  });
}

/** If a registry answers that it stored something else, it is asked for what we gave it. */
async function verifyPushed(client: RegistryClient, digest: string, said: string | undefined): Promise<void> {
  if (said === undefined || said === digest || !said.startsWith('sha256:')) return;
  const answer = await client.ask(`manifests/${digest}`, { method: 'HEAD', headers: { accept: MEDIA_TYPES.manifest.join(', ') }, accept: [404] });
  await answer.body.dump();
  if (answer.status !== 404) return;
  throw new ImageError({
    code: 'DIGEST_MISMATCH',
    message: `${client.domain} stored ${said} instead of ${digest}`,
    hint: 'The registry changed the image, and a pull of it gets another one.',
  });
}

async function pushBlob(
  paths: StorePaths,
  client: RegistryClient,
  { digest, size }: OciDescriptor,
  onProgress: (progress: PushProgress) => void,
): Promise<void> {
  const file = paths.blob(digest);
  await requireWhole(file, size);
  await uploadBlob(
    client,
    // The end of createReadStream is included.
    { digest, size, read: (from, to) => (to > from ? createReadStream(file, { start: from, end: to - 1 }) : Readable.from([])) },
    { from: repositoryWith(paths, client, digest), onProgress: (state, bytes) => onProgress({ digest, state, bytes, total: size }) },
  );
}

/** Another repository of the same registry which is known to have a blob: it can be mounted from there. */
function repositoryWith(paths: StorePaths, client: RegistryClient, digest: string): string | undefined {
  for (const descriptor of readIndex(paths).manifests) {
    const reference = referenceOf(descriptor);
    if (reference?.domain !== client.domain || reference.path === client.repository) continue;
    if (layersOf(paths, descriptor).some((layer) => layer.digest === digest)) return reference.path;
  }
  return undefined;
}

/** Another image that is damaged does not keep this one from being pushed. */
function layersOf(paths: StorePaths, descriptor: OciDescriptor): readonly OciDescriptor[] {
  try {
    return readManifest(paths, descriptor).layers;
  } catch (error) {
    if (error instanceof ImageError) return [];
    throw error;
  }
}
