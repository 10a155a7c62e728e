import { ImageError } from '../image-error.js';
import type { Reference } from '../reference.js';
import { hostPlatform } from '../source/platform.js';
import { type AddedImage, addImage } from '../store/add-image.js';
import type { PullOptions } from '../store/image-store.js';
import type { StorePaths } from '../store/store-paths.js';
import { registryImage } from './pull.js';
import type { Endpoint } from './registries-conf.js';
import { RegistryClient } from './registry-client.js';

/** For these another place may do better; a wrong digest or a full disk is the same everywhere. */
const ELSEWHERE = new Set([
  'REGISTRY_UNREACHABLE',
  'REGISTRY_CERTIFICATE',
  'REGISTRY_NOT_FOUND',
  'REGISTRY_FAILED',
  'REGISTRY_RATE_LIMITED',
  'REGISTRY_UNAUTHORIZED',
  'REGISTRY_INTERRUPTED',
]);

/** Fetch an image from the first of several places that has it. @throws ImageError of the last */
export async function pullFrom(paths: StorePaths, endpoints: readonly Endpoint[], reference: Reference, options: PullOptions): Promise<AddedImage> {
  let last: unknown;
  for (const { domain, repository, tlsVerify } of endpoints) {
    await using client = new RegistryClient(domain, repository, { ...options, tlsVerify: tlsVerify && options.tlsVerify !== false });
    try {
      const image = await registryImage(client, reference, options.platform ?? hostPlatform());
      return await addImage(paths, image, [reference], options);
    } catch (error) {
      if (!(error instanceof ImageError) || !ELSEWHERE.has(error.code)) throw error;
      last = error;
    }
  }
  throw last;
}
