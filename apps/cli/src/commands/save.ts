import { ImageStore } from '@lamella/image';
import { option, string as stringFlag } from '@oclif/core/flags';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { UsageError } from '../errors/usage-error.js';
import { stdout } from '../output/out.js';
import { writeOutput } from '../output/output-file.js';

export class Save extends LamellaCommand {
  static override summary = 'Write images as one archive, to be loaded elsewhere.';
  static override examples = [
    '<%= config.bin %> save app:v1 -o app.tar',
    '<%= config.bin %> save app:v1 tools | ssh host <%= config.bin %> load',
    { description: 'As an OCI image layout:', command: '<%= config.bin %> save --format oci-archive app -o app.tar' },
  ];
  static override strict = false;
  static override usage = 'save NAME[:TAG]… [-o FILE] [--format docker-archive|oci-archive]';
  static override args = { name: requiredArgument('the image; more may follow') };
  static override flags = {
    output: stringFlag({ char: 'o', helpValue: 'FILE', description: 'the archive (default: stdout)' }),
    format: option({
      options: ['docker-archive', 'oci-archive'] as const,
      default: 'docker-archive',
      description: 'what docker load reads, or an OCI image layout',
    })(),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Save);
    const store = new ImageStore(this.storeRoot(flags));
    const names = argv.map(String);
    if (flags.output === undefined || flags.output === '-') {
      if (stdout.isTerminal) throw new UsageError('an archive does not go to a terminal', 'Write it to a file: -o FILE.');
      await store.save(names, stdout.stream(), flags.format);
      return;
    }
    await writeOutput(flags.output, (output) => store.save(names, output, flags.format));
  }
}
