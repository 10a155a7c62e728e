import { ImageStore } from '@lamella/image';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { requiredArgument } from '../command-line/arguments.js';

export class Tag extends LamellaCommand {
  static override summary = 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE';
  static override examples = ['<%= config.bin %> tag app app:v1'];
  static override args = {
    source_image: requiredArgument('Name of an image in the store'),
    target_image: requiredArgument('New name of the image: NAME[:TAG]'),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Tag);
    await new ImageStore(this.storeRoot(flags)).tag(args.source_image, args.target_image);
  }
}
