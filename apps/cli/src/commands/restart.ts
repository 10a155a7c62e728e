import { string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { parseSeconds } from '../command-line/parse-seconds.js';
import { acceptedPaths, acceptSource } from '../container/accept-source.js';

export class Restart extends ContainerCommand {
  static override summary = 'Restart one or more containers';
  static override usage = 'restart [OPTIONS] CONTAINER [CONTAINER…]';
  static override examples = ['<%= config.bin %> restart web'];
  static override strict = false;
  static override flags = {
    time: string({ char: 't', aliases: ['timeout'], helpValue: 'SECONDS', description: 'Seconds to wait before killing the container' }),
    signal: string({ char: 's', helpValue: 'SIGNAL', description: 'Signal to send to the container (default: its stop signal)' }),
    'accept-source': acceptSource(),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Restart);
    const timeout = parseSeconds(flags.time);
    const acceptSources = acceptedPaths(flags['accept-source']);
    await this.forEach(flags, argv as string[], async (container, reference) => {
      await container.restart({
        acceptSources,
        ...(timeout === undefined ? {} : { timeout }),
        ...(flags.signal === undefined ? {} : { signal: flags.signal }),
      });
      return reference;
    });
  }
}
