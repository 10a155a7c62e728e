import { string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';

export class Checkpoint extends ContainerCommand {
  static override summary = 'Freeze what a container has written, to come back to it.';
  static override description =
    'It takes a rename, whatever the size. One that runs is held for some milliseconds, and goes on above it; while a process has a file of its layers open, or works in a directory of them other than /, it is refused.';
  static override examples = ["<%= config.bin %> checkpoint -m 'dependencies installed' agent", '<%= config.bin %> rollback agent'];
  static override args = { container: requiredArgument('its name, its id, or the beginning of it') };
  static override flags = { message: string({ char: 'm', description: 'what to remember it by' }) };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Checkpoint);
    const made = await (await this.containersOf(flags).get(args.container)).checkpoint(flags.message);
    this.print(flags.json, made, [made.id]);
  }
}
