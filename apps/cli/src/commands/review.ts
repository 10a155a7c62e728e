import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { UsageError } from '../errors/usage-error.js';
import { stdout } from '../output/out.js';
import { reviewAndApply } from '../review/apply-decision.js';

export class Review extends ContainerCommand {
  static override summary = 'Look at what a container changed, and decide: apply, keep, or throw away; all of it, or one by one.';
  static override examples = ['<%= config.bin %> review build'];
  static override args = { container: requiredArgument('its name, its id, or the beginning of it') };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Review);
    if (!process.stdin.isTTY) throw new UsageError('a review needs a terminal', 'For programs: lamella changes --json, lamella apply, lamella discard.');
    const container = await this.containersOf(flags).get(args.container);
    const changes = await Array.fromAsync(container.changes());
    if (!changes.length) return this.print(flags.json, { changes: 0 }, ['Nothing was changed.']);
    await reviewAndApply(container, changes, args.container, { input: process.stdin, output: stdout });
  }
}
