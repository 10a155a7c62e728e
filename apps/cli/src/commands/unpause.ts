import { ContainerCommand } from '../command-classes/container-command.js';

export class Unpause extends ContainerCommand {
  static override summary = 'Unpause all processes within one or more containers';
  static override usage = 'unpause CONTAINER [CONTAINER…]';
  static override examples = ['<%= config.bin %> unpause web'];
  static override strict = false;

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Unpause);
    await this.forEach(flags, argv as string[], async (container, reference) => {
      await container.unpause();
      return reference;
    });
  }
}
