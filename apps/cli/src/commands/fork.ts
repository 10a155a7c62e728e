import { string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { UsageError } from '../errors/usage-error.js';

export class Fork extends ContainerCommand {
  static override summary = 'Make containers that go on from where one is, each by itself.';
  static override description =
    'What it has written is frozen and shared: nothing is copied, whatever the size. Start them, or: lamella run --on NAME COMMAND.';
  static override usage = 'fork [FLAGS] CONTAINER [NAME…]';
  static override examples = ['<%= config.bin %> fork agent attempt-1 attempt-2', '<%= config.bin %> fork agent -n 10'];
  static override strict = false;
  static override flags = { number: string({ char: 'n', helpValue: 'NUMBER', description: 'how many, without names (default: 1)' }) };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Fork);
    const [reference, ...names] = argv as string[];
    if (reference === undefined) throw new UsageError('no container was named', 'lamella ps -a lists those that are.');
    if (names.length && flags.number !== undefined) throw new UsageError('names and -n contradict each other', 'Give one of them.');
    const number = Number(flags.number ?? 1);
    if (!Number.isInteger(number) || number < 1) throw new UsageError(`'${flags.number}' is not a number of forks`, 'Write -n 10.');
    const forks = await (await this.containersOf(flags).get(reference)).fork(names.length ? names : number);
    this.print(
      flags.json,
      forks.map(({ id, config }) => ({ id, name: config.spec.name ?? null })),
      forks.map(({ id }, i) => names[i] ?? id),
    );
  }
}
