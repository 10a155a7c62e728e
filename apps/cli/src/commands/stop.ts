import { string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { parseSeconds } from '../command-line/parse-seconds.js';

export class Stop extends ContainerCommand {
  static override summary = 'Stop one or more running containers';
  static override usage = 'stop [OPTIONS] CONTAINER [CONTAINER…]';
  static override examples = ['<%= config.bin %> stop web', { description: 'Kill the container at once:', command: '<%= config.bin %> stop -t 0 web' }];
  static override strict = false;
  static override flags = {
    time: string({
      char: 't',
      aliases: ['timeout'],
      helpValue: 'SECONDS',
      description: "Seconds to wait before killing the container (default: the container's stop timeout, or 10; -1: no limit)",
    }),
    signal: string({ char: 's', helpValue: 'SIGNAL', description: 'Signal to send to the container (default: its stop signal)' }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Stop);
    const timeout = parseSeconds(flags.time);
    await this.forEach(flags, argv as string[], async (container, reference) => {
      await container.stop({ ...(timeout === undefined ? {} : { timeout }), ...(flags.signal === undefined ? {} : { signal: flags.signal }) });
      return reference;
    });
  }
}
