import { lockFile, tryLockFile } from '@lamella/syscall';
import { ImageError } from '../image-error.js';
import { familiarReference, formatReference, type Reference } from '../reference.js';
import { collectGarbage, type Garbage } from './collect-garbage.js';
import { readConfig, readManifest } from './open-image.js';
import { findManifest, readIndex, REF_NAME, writeIndex } from './store-index.js';
import type { StorePaths } from './store-paths.js';

/** What `rmi` took away. */
export interface RemovedImage extends Garbage {
  readonly reference: Reference;
  readonly digest: string;
}

/** {@link ImageStore.remove} tells of it. */
export async function removeImage(paths: StorePaths, reference: Reference): Promise<RemovedImage> {
  const missing = (): ImageError => {
    const { name, tag } = familiarReference(reference);
    return new ImageError({ code: 'IMAGE_NOT_FOUND', message: `there is no image '${name}:${tag}' in ${paths.root}`, hint: '`lamella images` lists those that are.' });
  };
  if (!findManifest(readIndex(paths), reference)) throw missing();
  await using _index = await lockFile(paths.lock('index'));
  const index = readIndex(paths);
  const descriptor = findManifest(index, reference);
  if (!descriptor) throw missing();
  const manifests = index.manifests.filter((each) => each !== descriptor);
  if (!manifests.some((each) => each.digest === descriptor.digest)) await refuseIfMounted(paths, reference, descriptor.digest);
  await writeIndex(paths, { ...index, manifests });
  return { reference, digest: descriptor.digest, ...(await collectGarbage(paths)) };

  async function refuseIfMounted(store: StorePaths, which: Reference, digest: string): Promise<void> {
    const found = index.manifests.find((each) => each.digest === digest && each.annotations?.[REF_NAME] === formatReference(which));
    if (!found) return;
    for (const diffID of readConfig(store, readManifest(store, found)).rootfs.diff_ids) {
      const lock = await tryLockFile(store.meta(diffID), { create: false }).catch((error: { code?: string }) => {
        if (error.code === 'ENOENT') return 'absent' as const;
        throw error;
      });
      if (lock === undefined) {
        const { name, tag } = familiarReference(which);
        throw new ImageError({ code: 'IMAGE_IN_USE', message: `a container is running on '${name}:${tag}'`, hint: 'End it first.' });
      }
      if (lock !== 'absent') await lock[Symbol.asyncDispose]();
    }
  }
}
