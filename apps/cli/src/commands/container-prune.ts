import { ContainerCommand } from '../container/container-command.js';

export class ContainerPrune extends ContainerCommand {
  static override summary = 'Remove all containers that do not run.';
  static override examples = ['<%= config.bin %> container prune'];

  async run(): Promise<void> {
    const { flags } = await this.parse(ContainerPrune);
    const containers = this.containersOf(flags);
    const over = (await containers.list()).filter(({ status }) => status === 'created' || status === 'exited' || status === 'dead');
    if (!over.length) return this.print(flags.json, [], ['nothing to remove']);
    await this.forEach(
      flags,
      over.map(({ id }) => id),
      async (container, id) => {
        await container.remove();
        return id;
      },
    );
  }
}
