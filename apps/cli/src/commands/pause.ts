import { ContainerCommand } from '../command-classes/container-command.js';

export class Pause extends ContainerCommand {
  static override summary = 'Pause all processes within one or more containers';
  static override usage = 'pause CONTAINER [CONTAINER…]';
  static override examples = ['<%= config.bin %> pause web'];
  static override strict = false;

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Pause);
    await this.forEach(flags, argv as string[], async (container, reference) => {
      await container.pause();
      return reference;
    });
  }
}
