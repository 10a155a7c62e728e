import { boolean } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { optionalArgument, requiredArgument } from '../command-line/arguments.js';
import { UsageError } from '../errors/usage-error.js';

export class Rollback extends ContainerCommand {
  static override summary = 'Roll a container back to a checkpoint';
  static override examples = ['<%= config.bin %> rollback agent', '<%= config.bin %> rollback agent 4f2a', '<%= config.bin %> rollback agent --all'];
  static override args = {
    container: requiredArgument('Name or ID of the container'),
    checkpoint: optionalArgument('ID of the checkpoint, or a prefix of it (default: the last one)'),
  };
  static override flags = { all: boolean({ description: 'Roll back to the state before the first checkpoint' }) };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Rollback);
    if (flags.all && args.checkpoint !== undefined) throw new UsageError('--all and a checkpoint cannot be used together', 'Remove one of them.');
    const to = await (await this.containersOf(flags).get(args.container)).rollback(flags.all ? null : args.checkpoint);
    this.print(flags.json, { checkpoint: to?.id ?? null }, [
      to ? `Rolled ${args.container} back to ${to.id}${to.message ? ` (${to.message})` : ''}` : `Rolled ${args.container} back to its initial state`,
    ]);
  }
}
