import { string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';

export class Checkpoint extends ContainerCommand {
  static override summary = 'Create a checkpoint of a container';
  static override description =
    'Saves the filesystem of a container in constant time, for lamella rollback. A running container is paused for some milliseconds. The command fails while one of its processes has a file open for writing, or a working directory other than /.';
  static override examples = ["<%= config.bin %> checkpoint -m 'dependencies installed' agent", '<%= config.bin %> rollback agent'];
  static override args = { container: requiredArgument('Name or ID of the container') };
  static override flags = { message: string({ char: 'm', description: 'Message that describes the checkpoint' }) };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Checkpoint);
    const made = await (await this.containersOf(flags).get(args.container)).checkpoint(flags.message);
    this.print(flags.json, made, [made.id]);
  }
}
