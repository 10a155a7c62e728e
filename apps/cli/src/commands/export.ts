import { pipeline } from 'node:stream/promises';
import { string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { UsageError } from '../errors/usage-error.js';
import { stdout } from '../output/out.js';
import { writeOutput } from '../output/output-file.js';

export class Export extends ContainerCommand {
  static override summary = 'Write the root filesystem of a container as a tar.';
  static override description = 'Volumes and whatever else is mounted in it are left out. lamella import makes an image of it.';
  static override examples = ['<%= config.bin %> export web -o web.tar', '<%= config.bin %> export web | tar t'];
  static override args = { container: requiredArgument('its name, its id, or the beginning of it') };
  static override flags = { output: string({ char: 'o', helpValue: 'FILE', description: 'write there instead of to stdout' }) };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Export);
    if (flags.output === undefined && stdout.isTerminal) throw new UsageError('a tar is not for a terminal', 'Give -o FILE, or a pipe.');
    const container = await this.containersOf(flags).get(args.container);
    const archive = await container.export();
    if (flags.output === undefined) return pipeline(archive, stdout.stream());
    await writeOutput(flags.output, (output) => pipeline(archive, output));
  }
}
