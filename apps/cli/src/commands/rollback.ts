import { boolean } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { optionalArgument, requiredArgument } from '../command-line/arguments.js';
import { UsageError } from '../errors/usage-error.js';

export class Rollback extends ContainerCommand {
  static override summary = 'Let a container go on from a checkpoint, without what it wrote since.';
  static override examples = ['<%= config.bin %> rollback agent', '<%= config.bin %> rollback agent 4f2a', '<%= config.bin %> rollback agent --all'];
  static override args = {
    container: requiredArgument('its name, its id, or the beginning of it'),
    checkpoint: optionalArgument('its id, or the beginning of it (default: the last one)'),
  };
  static override flags = { all: boolean({ description: 'to before the first: nothing that it wrote stays' }) };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Rollback);
    if (flags.all && args.checkpoint !== undefined) throw new UsageError('--all and a checkpoint contradict each other', 'Give one of them.');
    const to = await (await this.containersOf(flags).get(args.container)).rollback(flags.all ? null : args.checkpoint);
    this.print(flags.json, { checkpoint: to?.id ?? null }, [
      to ? `${args.container} is what it was at ${to.id}${to.message ? ` (${to.message})` : ''}` : `${args.container} is what it was in the beginning`,
    ]);
  }
}
