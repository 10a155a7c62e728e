import { string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';

export class Kill extends ContainerCommand {
  static override summary = 'Send a signal to containers.';
  static override usage = 'kill [FLAGS] CONTAINER…';
  static override examples = ['<%= config.bin %> kill web', { description: 'Another signal than SIGKILL:', command: '<%= config.bin %> kill -s HUP web' }];
  static override strict = false;
  static override flags = { signal: string({ char: 's', helpValue: 'SIGNAL', default: 'SIGKILL', description: 'by name or number' }) };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Kill);
    await this.forEach(flags, argv as string[], async (container, reference) => {
      await container.kill(flags.signal);
      return reference;
    });
  }
}
