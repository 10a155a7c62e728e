import { sourceDateEpoch } from '@lamella/image';
import { boolean, string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';

export class Commit extends ContainerCommand {
  static override summary = "Create a new image from a container's changes";
  static override description =
    `The changes become a new layer on top of the container's image. With --timestamp or the environment variable SOURCE_DATE_EPOCH the build is reproducible: the same changes have the same digest.`;
  static override examples = [
    '<%= config.bin %> commit build my-app:1.0',
    "<%= config.bin %> commit -m 'with node' -c 'CMD [\"node\", \"app.js\"]' -c 'ENV NODE_ENV=production' build my-app",
  ];
  static override args = {
    container: requiredArgument('Name or ID of the container'),
    name: requiredArgument('Name of the new image: NAME[:TAG]'),
  };
  static override flags = {
    message: string({ char: 'm', description: 'Commit message' }),
    author: string({ char: 'a', description: 'Author, such as "John Hannibal Smith <hannibal@a-team.com>"' }),
    change: string({
      char: 'c',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'INSTRUCTION',
      description: 'Apply a Dockerfile instruction to the created image (CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR)',
    }),
    timestamp: string({ helpValue: 'SECONDS', description: 'Timestamp of the image and its files, in seconds since 1970' }),
    pause: boolean({ char: 'p', default: true, allowNo: true, description: 'Pause container during commit' }),
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
