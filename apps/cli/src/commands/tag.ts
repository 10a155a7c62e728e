import { ImageStore } from '@lamella/image';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { requiredArgument } from '../command-line/arguments.js';

export class Tag extends LamellaCommand {
  static override summary = 'Give an image another name.';
  static override examples = ['<%= config.bin %> tag app app:v1'];
  static override args = {
    name: requiredArgument('an image of the store'),
    another: requiredArgument('its new name'),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Tag);
    await new ImageStore(this.storeRoot(flags)).tag(args.name, args.another);
  }
}
