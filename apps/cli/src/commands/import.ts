import { familiarReference, ImageStore } from '@lamella/image';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { stderr } from '../output/out.js';
import { watchTransfer } from '../transfer/watch-transfer.js';

export class Import extends LamellaCommand {
  static override summary = 'Import the contents from a tarball to create an image';
  static override description = 'The archive may be plain, or compressed with gzip, zstd or xz.';
  static override examples = [
    '<%= config.bin %> import rootfs.tar.gz debian:12',
    { description: 'Import a container of Docker:', command: 'docker export CONTAINER | <%= config.bin %> import - tools' },
    { description: 'Import a directory:', command: 'tar -C rootfs -c . | <%= config.bin %> import - mine' },
  ];
  static override args = {
    file: requiredArgument('Path of the archive, or - for stdin'),
    name: requiredArgument('Name of the new image: NAME[:TAG]'),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Import);
    const store = new ImageStore(this.storeRoot(flags));
    const source = args.file === '-' ? process.stdin : args.file;
    // With --json only the result is printed, without progress.
    const { reference, digest, diffID, warnings, reused } = await watchTransfer({ json: false, quiet: flags.json }, (show, signal) =>
      store.import(source, args.name, { signal, onProgress: ({ bytes, total }) => show({ id: args.file, state: 'unpacking', bytes, total }) }),
    );
    if (!flags.json) for (const warning of warnings) stderr.line(`lamella: note: ${warning}`);
    const { name, tag } = familiarReference(reference);
    this.print(flags.json, { name, tag, digest, diffID, warnings, reused }, [`${name}:${tag} ${digest}`]);
  }
}
