import { ImageStore } from '@lamella/image';
import { option, string as stringFlag } from '@oclif/core/flags';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { UsageError } from '../errors/usage-error.js';
import { stdout } from '../output/out.js';
import { writeOutput } from '../output/output-file.js';

export class Save extends LamellaCommand {
  static override summary = 'Save one or more images to a tar archive';
  static override examples = [
    '<%= config.bin %> save app:v1 -o app.tar',
    '<%= config.bin %> save app:v1 tools | ssh host <%= config.bin %> load',
    { description: 'Write an OCI image layout:', command: '<%= config.bin %> save --format oci-archive app -o app.tar' },
  ];
  static override strict = false;
  static override usage = 'save [OPTIONS] IMAGE [IMAGE…]';
  static override args = { name: requiredArgument('Name of an image; more may follow') };
  static override flags = {
    output: stringFlag({ char: 'o', helpValue: 'FILE', description: 'Write to a file, instead of STDOUT' }),
    format: option({
      options: ['docker-archive', 'oci-archive'] as const,
      default: 'docker-archive',
      description: 'Format of the archive: that of docker save, or an OCI image layout',
    })(),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Save);
    const store = new ImageStore(this.storeRoot(flags));
    const names = argv.map(String);
    if (flags.output === undefined || flags.output === '-') {
      if (stdout.isTerminal) throw new UsageError('refusing to write an archive to a terminal', 'Use the -o flag or redirect.');
      await store.save(names, stdout.stream(), flags.format);
      return;
    }
    await writeOutput(flags.output, (output) => store.save(names, output, flags.format));
  }
}
