import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { table } from '../output/table.js';
import { ago } from '../output/units.js';

export class History extends ContainerCommand {
  static override summary = 'List the checkpoints of a container.';
  static override description = 'The one it stands on now is marked with *. Those of what it was forked from are among them.';
  static override examples = ['<%= config.bin %> history agent'];
  static override args = { container: requiredArgument('its name, its id, or the beginning of it') };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(History);
    const { checkpoints, current } = await (await this.containersOf(flags).get(args.container)).history();
    const rows = checkpoints.map(({ id, created, parent, message }) => [`${id === current ? '*' : ' '} ${id}`, ago(created), parent ?? '-', message ?? '']);
    this.print(
      flags.json,
      checkpoints.map((each) => ({ ...each, current: each.id === current })),
      rows.length
        ? table(['  CHECKPOINT', 'MADE', 'AFTER', 'MESSAGE'], rows)
        : [`${args.container} has no checkpoints. lamella checkpoint ${args.container} makes one.`],
    );
  }
}
