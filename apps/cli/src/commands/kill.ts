import { string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';

export class Kill extends ContainerCommand {
  static override summary = 'Kill one or more running containers';
  static override usage = 'kill [OPTIONS] CONTAINER [CONTAINER…]';
  static override examples = ['<%= config.bin %> kill web', { description: 'Send SIGHUP instead of SIGKILL:', command: '<%= config.bin %> kill -s HUP web' }];
  static override strict = false;
  static override flags = { signal: string({ char: 's', helpValue: 'SIGNAL', default: 'SIGKILL', description: 'Signal to send to the container' }) };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Kill);
    await this.forEach(flags, argv as string[], async (container, reference) => {
      await container.kill(flags.signal);
      return reference;
    });
  }
}
