import { ContainerCommand } from '../container/container-command.js';

export class Wait extends ContainerCommand {
  static override summary = 'Wait until containers end, and print how.';
  static override description = 'The exit status of each, 128 and the number for a signal; 137 also when nobody saw how.';
  static override usage = 'wait CONTAINER…';
  static override examples = ['<%= config.bin %> wait web'];
  static override strict = false;

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Wait);
    await this.forEach(flags, argv as string[], async (container) => String((await container.wait())?.status ?? 137));
  }
}
