import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { UsageError } from '../errors/usage-error.js';
import { stdout } from '../output/out.js';
import { reviewAndApply } from '../review/apply-decision.js';

export class Review extends ContainerCommand {
  static override summary = "Review a container's changes, then apply or discard them";
  static override examples = ['<%= config.bin %> review build'];
  static override args = { container: requiredArgument('Name or ID of the container') };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Review);
    if (!process.stdin.isTTY) throw new UsageError('cannot review changes: STDIN is not a terminal', 'Use lamella changes, lamella apply and lamella discard.');
    const container = await this.containersOf(flags).get(args.container);
    const changes = await Array.fromAsync(container.changes());
    if (!changes.length) return this.print(flags.json, { changes: 0 }, ['No changes.']);
    await reviewAndApply(container, changes, args.container, { input: process.stdin, output: stdout });
  }
}
