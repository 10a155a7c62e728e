import { string } from '@oclif/core/flags';
import { argument } from '../argument.js';
import { ContainerCommand } from '../container/container-command.js';

export class Checkpoint extends ContainerCommand {
  static override summary = 'Freeze what a container has written, to come back to it.';
  static override description = 'It takes a rename, whatever the size. One that runs is refused: its processes hold files that they may go on writing.';
  static override examples = ["<%= config.bin %> checkpoint -m 'dependencies installed' agent", '<%= config.bin %> rollback agent'];
  static override args = { container: argument('its name, its id, or the beginning of it') };
  static override flags = { message: string({ char: 'm', description: 'what to remember it by' }) };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Checkpoint);
    const made = await (await this.containersOf(flags).get(args.container)).checkpoint(flags.message);
    this.print(flags.json, made, [made.id]);
  }
}
