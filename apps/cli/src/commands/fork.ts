import { string } from '@oclif/core/flags';
import { ContainerCommand, noContainer } from '../command-classes/container-command.js';
import { UsageError } from '../errors/usage-error.js';

export class Fork extends ContainerCommand {
  static override summary = 'Create containers from the current state of a container';
  static override description =
    'The new containers share the files of the original; nothing is copied. Start one with lamella start, or run a command in it with lamella run --on NAME COMMAND.';
  static override usage = 'fork [OPTIONS] CONTAINER [NAME…]';
  static override examples = ['<%= config.bin %> fork agent attempt-1 attempt-2', '<%= config.bin %> fork agent -n 10'];
  static override strict = false;
  static override flags = {
    number: string({ char: 'n', helpValue: 'NUMBER', description: 'Number of containers to create with generated names (default: 1)' }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Fork);
    const [reference, ...names] = argv as string[];
    if (reference === undefined) throw noContainer();
    if (names.length && flags.number !== undefined) throw new UsageError('names and -n cannot be used together', 'Remove one of them.');
    const number = Number(flags.number ?? 1);
    if (!Number.isInteger(number) || number < 1)
      throw new UsageError(`invalid value '${flags.number}' for --number`, 'Use a number of at least 1, such as -n 10.');
    const forks = await (await this.containersOf(flags).get(reference)).fork(names.length ? names : number);
    this.print(
      flags.json,
      forks.map(({ id, config }) => ({ id, name: config.spec.name ?? null })),
      forks.map(({ id }, i) => names[i] ?? id),
    );
  }
}
