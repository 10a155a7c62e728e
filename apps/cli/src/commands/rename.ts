import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';

export class Rename extends ContainerCommand {
  static override summary = 'Rename a container';
  static override examples = ['<%= config.bin %> rename web old-web'];
  static override args = { container: requiredArgument('Name or ID of the container'), name: requiredArgument('New name of the container') };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Rename);
    await (await this.containersOf(flags).get(args.container)).rename(args.name);
  }
}
