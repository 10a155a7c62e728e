import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { table } from '../output/table.js';
import { ago } from '../output/units.js';

export class History extends ContainerCommand {
  static override summary = 'List the checkpoints of a container';
  static override description = 'The current checkpoint is marked with *. The list includes those of the container that it was forked from.';
  static override examples = ['<%= config.bin %> history agent'];
  static override args = { container: requiredArgument('Name or ID of the container') };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(History);
    const { checkpoints, current } = await (await this.containersOf(flags).get(args.container)).history();
    const rows = checkpoints.map(({ id, created, parent, message }) => [`${id === current ? '*' : ' '} ${id}`, ago(created), parent ?? '-', message ?? '']);
    this.print(
      flags.json,
      checkpoints.map((each) => ({ ...each, current: each.id === current })),
      rows.length
        ? table(['  CHECKPOINT', 'CREATED', 'PARENT', 'MESSAGE'], rows)
        : [`${args.container} has no checkpoints. Create one: lamella checkpoint ${args.container}`],
    );
  }
}
