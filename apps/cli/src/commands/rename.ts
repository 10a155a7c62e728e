import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';

export class Rename extends ContainerCommand {
  static override summary = 'Call a container otherwise.';
  static override examples = ['<%= config.bin %> rename web old-web'];
  static override args = { container: requiredArgument('its name, its id, or the beginning of it'), name: requiredArgument('the new name') };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Rename);
    await (await this.containersOf(flags).get(args.container)).rename(args.name);
  }
}
