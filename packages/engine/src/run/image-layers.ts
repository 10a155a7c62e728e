import { existsSync } from 'node:fs';
import { type Image, ImageError, type ImageErrorCode, ImageStore, isImageLocation, parsePlatform } from '@lamella/image';
import { EngineError } from '../model/engine-error.js';
import type { Lowers } from '../model/lowers.js';
import type { RunOptions } from '../model/run-options.js';
import type { RunSpec } from '../model/run-spec.js';

/** Returns what the container of a spec stands on; fetches a missing image if the spec allows it. */
export async function lowersOf(spec: RunSpec, options: RunOptions, root: string): Promise<Lowers> {
  if (spec.host) return { trees: [], locks: [], diffIDs: [], config: { env: [], entrypoint: [], cmd: [] } };
  return spec.workspace === undefined ? fromStore(spec, options, root) : fromWorkspace(spec.workspace, spec.image, options);
}

/** What a container stood on before is what it stands on again. @throws EngineError `IMAGE_GONE` */
export function sameLowers(lowers: Lowers, image: string): Lowers {
  for (const place of [...lowers.trees, ...lowers.locks])
    if (!existsSync(place))
      throw new EngineError({
        code: 'IMAGE_GONE',
        message: `the container cannot start again: ${place} of its image '${image}' is gone`,
        hint: 'It was removed without Lamella. `lamella rm` the container, and run a new one.',
      });
  return lowers;
}

async function fromStore(spec: RunSpec, options: RunOptions, root: string): Promise<Lowers> {
  const store = new ImageStore(root);
  const { layers, config, digest } = await resolve(store, spec, options);
  return { trees: layers.map((layer) => layer.path), locks: layers.map((layer) => layer.lock), diffIDs: layers.map((layer) => layer.diffID), config, digest };
}

async function resolve(store: ImageStore, { image, pull = 'never', tlsVerify, platform: given }: RunSpec, options: RunOptions): Promise<Image> {
  const platform = given === undefined ? undefined : parsePlatform(given);
  const adding = {
    ...(platform ? { platform } : {}),
    ...(options.cancelSignal ? { signal: options.cancelSignal } : {}),
    ...(options.onPull ? { onProgress: options.onPull } : {}),
  };
  const fetch = async (): Promise<Image> => {
    const { warnings } = await store.pull(image, { ...adding, ...(tlsVerify === undefined ? {} : { tlsVerify }) });
    for (const warning of warnings) options.onNote?.(warning, true);
    return store.resolve(image);
  };
  const importIt = (): Promise<Image | undefined> => store.importLocation(image, adding);
  if (isImageLocation(image)) {
    const imported = await importIt();
    if (imported) return imported;
  }
  if (pull === 'always') return fetch();
  try {
    return await store.resolve(image, platform ? { platform } : {});
  } catch (error) {
    if (pull === 'missing' && error instanceof ImageError && error.code === 'PLATFORM_MISSING') return fetch();
    // A path without a / or . at its beginning; what is in the store by that name comes first.
    const imported = await importIt();
    if (imported) return imported;
    if (pull !== 'missing' || !(error instanceof ImageError) || error.code !== 'IMAGE_NOT_FOUND') throw error;
    try {
      return await fetch();
    } catch (cause) {
      // By its shape: in a bundle, code that is loaded late brings a separate class.
      const { code, message: why, hint } = cause as { code?: unknown; message: string; hint?: unknown };
      if (typeof code !== 'string' || typeof hint !== 'string') throw cause;
      const message = `there is no image '${image}' in ${store.paths.root}, and fetching it fails: ${why}`;
      throw new ImageError({ code: code as ImageErrorCode, message, hint: `${hint} Or import one: lamella import FILE ${image}`, cause });
    }
  }
}

async function fromWorkspace(workspace: string, image: string, options: RunOptions): Promise<Lowers> {
  // Only callers that unpack load the code for it.
  const { workspaceImage } = await import('../filesystem/workspace.js');
  const tree = await workspaceImage(workspace, image, {
    ...(options.cancelSignal ? { signal: options.cancelSignal } : {}),
    ...(options.onProgress ? { onProgress: options.onProgress } : {}),
  });
  return { trees: [tree], locks: [], diffIDs: [], config: { env: [], entrypoint: [], cmd: [] } };
}
