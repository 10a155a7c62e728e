import { createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
import { lockFile } from '@lamella/syscall';
import { ImageError } from '../image-error.js';
import { applyLayer } from '../layer/apply-layer.js';
import { publishLayer } from './import-archive.js';
import { isWhole, readLayerMeta } from './layer-meta.js';
import type { OciDescriptor } from './oci-schema.js';
import type { StorePaths } from './store-paths.js';
import { temporaryLayer } from './temporary-layer.js';

/** Unpack a layer again from its blob: it is missing, or was on its way to the disk when the power went. */
export async function restoreLayer(paths: StorePaths, diffID: string, descriptor: OciDescriptor): Promise<void> {
  await using _turn = await lockFile(paths.lock(`layer-${diffID.slice('sha256:'.length, 'sha256:'.length + 2)}`));
  const meta = readLayerMeta(paths.meta(diffID));
  if (meta && isWhole(meta, paths)) return;
  const blob = paths.blob(descriptor.digest);
  await access(blob).catch((cause: NodeJS.ErrnoException) => {
    throw new ImageError({ code: 'STORE_CORRUPT', message: `${blob} is missing`, hint: 'Import the image again.', cause });
  });
  await using temporary = await temporaryLayer(paths);
  const applied = await applyLayer(createReadStream(blob, { highWaterMark: 256 * 1024 }), temporary.tree, { stacked: true, isPromised: true });
  if (applied.blob.digest !== descriptor.digest || applied.diffID !== diffID)
    throw new ImageError({
      code: 'STORE_CORRUPT',
      message: `${blob} does not have the content its name says`,
      hint: 'Remove the image (lamella rmi) and import it again.',
    });
  await using _index = await lockFile(paths.lock('index'));
  await publishLayer(paths, temporary.directory, applied);
}
