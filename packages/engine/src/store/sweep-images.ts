import { readdirSync } from 'node:fs';
import path from 'node:path';
import { ImageStore } from '@lamella/image';
import { ignoreMissing } from '@lamella/syscall';

/** Removes what commands left that were killed while they unpacked an image. Costs one readdir when there is nothing. */
export async function sweepImages(root: string): Promise<void> {
  if (hasUnfinishedLayers(root)) await new ImageStore(root).sweep();
}

/** Whether a command unpacks something now, or was killed while it did. */
function hasUnfinishedLayers(root: string): boolean {
  try {
    return readdirSync(path.join(root, 'layers')).some((name) => name.startsWith('.'));
  } catch (error) {
    ignoreMissing(error as NodeJS.ErrnoException);
    return false;
  }
}
