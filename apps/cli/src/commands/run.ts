import { Command } from '@oclif/core/command';
import { optionalArgument, requiredArgument } from '../command-line/arguments.js';
import { runMain } from '../run/run-main.js';
import { RUN_FLAGS } from '../run-flags/run-flags.js';

export class Run extends Command {
  static override summary = 'Create and run a new container from an image';
  static override description = `The container has no network by default (--network none), and is removed when the command exits, unless -d or --keep is given.

The exit status is that of the command, or 128+N if signal N ended it. It is 125 if Lamella failed, 126 if the command cannot be executed, and 127 if it is not found.`;
  static override usage = 'run [OPTIONS] IMAGE [COMMAND [ARG…]]';
  static override examples = [
    { description: 'Start a shell:', command: '<%= config.bin %> run -it busybox sh' },
    { description: 'Mount the current directory:', command: '<%= config.bin %> run -v "$PWD":/work -w /work busybox make' },
    { description: 'Print the system calls instead of making them:', command: '<%= config.bin %> run --explain busybox true' },
    { description: 'Keep the container and its changes:', command: '<%= config.bin %> run --keep busybox touch /new' },
    { description: 'Unpack an image into the current directory:', command: '<%= config.bin %> run --workspace . -it busybox sh' },
    { description: 'Print the result as JSON:', command: '<%= config.bin %> run --json busybox id' },
  ];
  static override strict = false;
  static override flags = RUN_FLAGS;
  static override args = {
    image: requiredArgument('Name of an image, or a path such as ./rootfs.tar or oci:DIR'),
    command: optionalArgument("Command to run (default: the image's)"),
  };

  /** Not by oclif, which would complain of that where NODE_ENV is that of a developer. */
  override parsed = true;

  async run(): Promise<void> {
    process.exitCode = await runMain(this.argv);
  }
}
