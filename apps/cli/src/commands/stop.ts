import { string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { parseSeconds } from '../command-line/parse-seconds.js';

export class Stop extends ContainerCommand {
  static override summary = 'Ask containers to end, and kill those that have not after a while.';
  static override usage = 'stop [FLAGS] CONTAINER…';
  static override examples = ['<%= config.bin %> stop web', { description: 'Without patience:', command: '<%= config.bin %> stop -t 0 web' }];
  static override strict = false;
  static override flags = {
    time: string({ char: 't', aliases: ['timeout'], helpValue: 'SECONDS', description: 'how long they have (default: their own, or 10; -1 is for ever)' }),
    signal: string({ char: 's', helpValue: 'SIGNAL', description: "how to ask (default: the container's or the image's, or SIGTERM)" }),
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
