import { sourceDateEpoch } from '@lamella/image';
import { boolean, string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';

export class Commit extends ContainerCommand {
  static override summary = 'Make an image of what a container changed.';
  static override description = `The changes become a layer on top of the container's image. With --timestamp, or SOURCE_DATE_EPOCH in the
environment, the same changes make the same digest, whenever and wherever.`;
  static override examples = [
    '<%= config.bin %> commit build my-app:1.0',
    "<%= config.bin %> commit -m 'with node' -c 'CMD [\"node\", \"app.js\"]' -c 'ENV NODE_ENV=production' build my-app",
  ];
  static override args = { container: requiredArgument('its name, its id, or the beginning of it'), name: requiredArgument('NAME[:TAG] of the image') };
  static override flags = {
    message: string({ char: 'm', description: "what the image's history says" }),
    author: string({ char: 'a', description: 'who made it' }),
    change: string({
      char: 'c',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'LINE',
      description: 'change the config: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR',
    }),
    timestamp: string({ helpValue: 'SECONDS', description: 'since 1970: the time of everything in it' }),
    pause: boolean({ char: 'p', default: true, allowNo: true, description: 'freeze a container that runs meanwhile' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Commit);
    const container = await this.containersOf(flags).get(args.container);
    const { reference, digest, layers } = await container.commit(args.name, {
      pause: flags.pause,
      changes: flags.change ?? [],
      timestamp: sourceDateEpoch(flags.timestamp ?? process.env.SOURCE_DATE_EPOCH),
      ...(flags.message === undefined ? {} : { message: flags.message }),
      ...(flags.author === undefined ? {} : { author: flags.author }),
    });
    this.print(flags.json, { reference, digest, layers }, [digest]);
  }
}
