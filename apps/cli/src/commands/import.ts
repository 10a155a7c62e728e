import { familiarReference, ImageStore } from '@lamella/image';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { stderr } from '../output/out.js';
import { watchTransfer } from '../transfer/watch-transfer.js';

export class Import extends LamellaCommand {
  static override summary = 'Import the tar of a root filesystem as an image.';
  static override description = 'The archive may be plain or compressed with gzip, zstd or xz. It is unpacked once, here; runs only mount it.';
  static override examples = [
    '<%= config.bin %> import rootfs.tar.gz debian:12',
    { description: 'From another tool:', command: 'docker export CONTAINER | <%= config.bin %> import - tools' },
    { description: 'From a directory:', command: 'tar -C rootfs -c . | <%= config.bin %> import - mine' },
  ];
  static override args = {
    file: requiredArgument('the archive, or - for stdin'),
    name: requiredArgument('NAME[:TAG] of the image'),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Import);
    const store = new ImageStore(this.storeRoot(flags));
    const source = args.file === '-' ? process.stdin : args.file;
    // One object is what --json prints: what goes on meanwhile is for people.
    const { reference, digest, diffID, warnings, reused } = await watchTransfer({ json: false, quiet: flags.json }, (show, signal) =>
      store.import(source, args.name, { signal, onProgress: ({ bytes, total }) => show({ id: args.file, state: 'unpacking', bytes, total }) }),
    );
    if (!flags.json) for (const warning of warnings) stderr.line(`lamella: note: ${warning}`);
    const { name, tag } = familiarReference(reference);
    this.print(flags.json, { name, tag, digest, diffID, warnings, reused }, [`${name}:${tag} ${digest}`]);
  }
}
