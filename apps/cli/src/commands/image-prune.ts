import { ImageStore } from '@lamella/image';
import { boolean } from '@oclif/core/flags';
import { LamellaCommand } from '../command-classes/lamella-command.js';

export class ImagePrune extends LamellaCommand {
  static override summary = 'Remove unused layers and blobs';
  static override description = 'A failed pull or load leaves its layers for the next attempt. Layers and blobs of images and containers stay.';

  static override flags = { force: boolean({ char: 'f', description: 'Do not prompt for confirmation (always on)' }) };

  async run(): Promise<void> {
    const { flags } = await this.parse(ImagePrune);
    const removed = await new ImageStore(this.storeRoot(flags)).prune();
    const { blobs, layers } = removed;
    this.print(flags.json, removed, [`Removed ${layers.length} layers and ${blobs.length} blobs.`]);
  }
}
