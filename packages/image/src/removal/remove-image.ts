import { lockFile, tryLockFile } from '@lamella/syscall';
import { ImageError } from '../model/image-error.js';
import { type Reference, shortReference } from '../model/reference.js';
import { readConfig, readManifest } from '../store/image-documents.js';
import type { OciDescriptor } from '../store/oci-schema.js';
import { findManifest, readIndex, writeIndex } from '../store/store-index.js';
import type { StorePaths } from '../store/store-paths.js';
import { collectGarbage, type Garbage } from './collect-garbage.js';
import { heldByContainers } from './containers-of-images.js';

/** What `rmi` took away. */
export interface RemovedImage extends Garbage {
  readonly reference: Reference;
  readonly digest: string;
}

/** {@link ImageStore.remove} tells of it. */
export async function removeImage(paths: StorePaths, reference: Reference): Promise<RemovedImage> {
  const missing = (): ImageError => {
    return new ImageError({
      code: 'IMAGE_NOT_FOUND',
      message: `there is no image '${shortReference(reference)}' in ${paths.root}`,
      hint: '`lamella images` lists those that are.',
    });
  };
  if (!findManifest(readIndex(paths), reference)) throw missing();
  await using _index = await lockFile(paths.lock('index'));
  const index = readIndex(paths);
  const descriptor = findManifest(index, reference);
  if (!descriptor) throw missing();
  const manifests = index.manifests.filter((each) => each !== descriptor);
  const last = !manifests.some((each) => each.digest === descriptor.digest);
  const holder = last ? (await heldByContainers(paths)).find(({ image }) => image === descriptor.digest) : undefined;
  if (holder)
    throw new ImageError({
      code: 'IMAGE_IN_USE',
      message: `the container ${holder.id} was made of '${shortReference(reference)}'`,
      hint: `Remove it first: lamella rm ${holder.id}`,
    });
  if (last && (await isHeld(paths, descriptor, manifests)))
    throw new ImageError({
      code: 'IMAGE_IN_USE',
      message: `a container is running on '${shortReference(reference)}', or it is just being brought in`,
      hint: 'End the container first.',
    });
  await writeIndex(paths, { ...index, manifests });
  return { reference, digest: descriptor.digest, ...(await collectGarbage(paths)) };
}

/** Whether a process holds a layer that no other image has: layers of other images stay in any case. */
async function isHeld(paths: StorePaths, descriptor: OciDescriptor, others: readonly OciDescriptor[]): Promise<boolean> {
  const shared = new Set(others.flatMap((each) => diffIDsOf(paths, each)));
  const diffIDs = diffIDsOf(paths, descriptor).filter((diffID) => !shared.has(diffID));
  for (const diffID of diffIDs) {
    const lock = await tryLockFile(paths.meta(diffID), { create: false }).catch((error: { code?: string }) => {
      if (error.code === 'ENOENT') return 'absent' as const;
      throw error;
    });
    if (lock === undefined) return true;
    if (lock !== 'absent') await lock[Symbol.asyncDispose]();
  }
  return false;
}

/** A damaged image has none that could be told. */
function diffIDsOf(paths: StorePaths, descriptor: OciDescriptor): readonly string[] {
  try {
    return readConfig(paths, readManifest(paths, descriptor)).rootfs.diff_ids;
  } catch (error) {
    if (error instanceof ImageError && error.code === 'STORE_CORRUPT') return [];
    throw error;
  }
}
