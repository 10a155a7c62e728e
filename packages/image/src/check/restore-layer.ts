import { lockFile } from '@lamella/syscall';
import { ImageError } from '../model/image-error.js';
import type { OciDescriptor } from '../store/oci-schema.js';
import type { StorePaths } from '../store/store-paths.js';
import { blobProblem } from './verify-blob.js';
import { obviousProblem, verifyLayer } from './verify-layer.js';

/** Unpacks a layer again from its blob: it is missing, or was on its way to the disk when the power went. */
export async function restoreLayer(paths: StorePaths, diffID: string, descriptor: OciDescriptor): Promise<void> {
  await using _turn = await lockFile(paths.lock(`layer-${diffID.slice('sha256:'.length, 'sha256:'.length + 2)}`));
  if (obviousProblem(paths, diffID) === undefined) return;
  const file = paths.blob(descriptor.digest);
  const problem = await blobProblem(file, descriptor, Number.MAX_VALUE);
  if (problem !== undefined)
    throw new ImageError({
      code: 'STORE_CORRUPT',
      message: `the layer ${diffID} cannot be unpacked from ${file}: ${problem}`,
      hint: 'Bring the image in again (lamella pull, load or import).',
    });
  await verifyLayer(paths, diffID, { ...descriptor, file }, { full: true, repair: true });
}
