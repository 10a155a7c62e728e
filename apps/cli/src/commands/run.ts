import { Command } from '@oclif/core/command';
import { optionalArgument, requiredArgument } from '../command-line/arguments.js';
import { runMain } from '../run/run-main.js';
import { RUN_FLAGS } from '../run-flags/run-flags.js';

export class Run extends Command {
  static override summary = 'Run a command in a new container, and throw away what it changed.';
  static override description = `The image's layers are joined with a private writable one by overlayfs; the command sees the
result as its root, in namespaces of its own, without network. When it ends nothing of it is left.

The exit status is the command's own; 125 when Lamella failed, 126 when the command could not be
executed, 127 when it was not found, 128+N when signal N ended it.`;
  static override usage = 'run [FLAGS] IMAGE [COMMAND [ARG…]]';
  static override examples = [
    { description: 'A shell:', command: '<%= config.bin %> run -it busybox sh' },
    { description: 'A build step with a directory of the host:', command: '<%= config.bin %> run -v "$PWD":/work -w /work busybox make' },
    { description: 'See every system call before any is made:', command: '<%= config.bin %> run --explain busybox true' },
    { description: 'Keep what it changed:', command: '<%= config.bin %> run --keep busybox touch /new' },
    { description: 'The layers as directories in front of you:', command: '<%= config.bin %> run --workspace . -it busybox sh' },
    { description: 'For programs:', command: '<%= config.bin %> run --json busybox id' },
  ];
  static override strict = false;
  static override flags = RUN_FLAGS;
  static override args = {
    image: requiredArgument('an image of the store or a registry, or where one lies: ./rootfs.tar, oci:DIR'),
    command: optionalArgument("the command; the image's own when missing"),
  };

  /** Not by oclif, which would complain of that where NODE_ENV is that of a developer. */
  override parsed = true;

  async run(): Promise<void> {
    process.exitCode = await runMain(this.argv);
  }
}
