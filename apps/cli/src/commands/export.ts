import { pipeline } from 'node:stream/promises';
import { string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { UsageError } from '../errors/usage-error.js';
import { stdout } from '../output/out.js';
import { writeOutput } from '../output/output-file.js';

export class Export extends ContainerCommand {
  static override summary = "Export a container's filesystem as a tar archive";
  static override description = 'Volumes and other mounts are left out. Create an image from the archive with lamella import.';
  static override examples = ['<%= config.bin %> export web -o web.tar', '<%= config.bin %> export web | tar t'];
  static override args = { container: requiredArgument('Name or ID of the container') };
  static override flags = { output: string({ char: 'o', helpValue: 'FILE', description: 'Write to a file, instead of STDOUT' }) };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Export);
    if (flags.output === undefined && stdout.isTerminal) throw new UsageError('refusing to write a tar archive to a terminal', 'Use the -o flag or redirect.');
    const container = await this.containersOf(flags).get(args.container);
    const archive = await container.export();
    if (flags.output === undefined) return pipeline(archive, stdout.stream());
    await writeOutput(flags.output, (output) => pipeline(archive, output));
  }
}
