import type { AddedImage } from '../model/added-image.js';
import { ImageError } from '../model/image-error.js';
import type { PullOptions } from '../model/pull-options.js';
import type { Reference } from '../model/reference.js';
import { hostPlatform } from '../source/choose-platform.js';
import type { StorePaths } from '../store/store-paths.js';
import { addImage } from '../transfer/add-image.js';
import { registryImage } from './pull.js';
import type { Endpoint } from './registries-conf.js';
import { RegistryClient } from './registry-client.js';

/** Fetch an image from the first of several places that has it. @throws ImageError of the last */
export async function pullFrom(paths: StorePaths, endpoints: readonly Endpoint[], reference: Reference, options: PullOptions): Promise<AddedImage> {
  let last: unknown;
  const warnings = new Set<string>();
  const onWarning = (warning: string): void => {
    if (warnings.has(warning)) return;
    warnings.add(warning);
    options.onWarning?.(warning);
  };
  const { credentials, ...others } = options;
  for (const { domain, repository, tlsVerify } of endpoints) {
    await using client = new RegistryClient(domain, repository, {
      ...others,
      // What was given for the registry of the name is not for its mirrors.
      ...(credentials && domain === reference.domain ? { credentials } : {}),
      tlsVerify: tlsVerify && options.tlsVerify !== false,
      onWarning,
    });
    try {
      const image = await registryImage(client, reference, options.platform ?? hostPlatform());
      const added = await addImage(paths, image, [reference], options);
      // With onWarning they have been reported already.
      return { ...added, warnings: [...(options.onWarning ? [] : warnings), ...added.warnings] };
    } catch (error) {
      // Another place may do better at what a registry does wrong; a wrong digest or a full disk is the same everywhere.
      if (!(error instanceof ImageError) || !error.code.startsWith('REGISTRY_')) throw error;
      last = error;
    }
  }
  throw last;
}
