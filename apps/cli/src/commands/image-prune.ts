import { ImageStore } from '@lamella/image';
import { boolean } from '@oclif/core/flags';
import { LamellaCommand } from '../command-classes/lamella-command.js';

export class ImagePrune extends LamellaCommand {
  static override summary = 'Remove layers and blobs that no image refers to.';
  static override description =
    'Such are left by a pull or load that failed, so that the next attempt finds them; whatever a container or an image uses stays.';

  static override flags = { force: boolean({ char: 'f', description: 'without a question, which is always so' }) };

  async run(): Promise<void> {
    const { flags } = await this.parse(ImagePrune);
    const removed = await new ImageStore(this.storeRoot(flags)).prune();
    const { blobs, layers } = removed;
    this.print(flags.json, removed, [`removed ${layers.length} layers and ${blobs.length} blobs`]);
  }
}
