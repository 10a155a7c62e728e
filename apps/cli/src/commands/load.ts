import { type AddedImage, ImageStore, LoadError, shortReference } from '@lamella/image';
import { string as stringFlag } from '@oclif/core/flags';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { optionalArgument } from '../command-line/arguments.js';
import { UsageError } from '../errors/usage-error.js';
import { stderr } from '../output/out.js';
import { PLATFORM_FLAG, parsePlatformFlag, QUIET_FLAG, watchTransfer } from '../transfer/watch-transfer.js';

export class Load extends LamellaCommand {
  static override summary = 'Load images from a tar archive, an OCI layout or STDIN';
  static override description =
    `Loads what docker save, podman save, skopeo copy or lamella save wrote. The archive format is detected. Or give it as skopeo does: docker-archive:FILE[:NAME], oci-archive:FILE[:NAME], oci:DIR[:NAME], dir:DIR. With a NAME, the tar archive of a root filesystem can be loaded too.

An image without a name becomes localhost/loaded:ID. If some images of an archive are damaged, the others are loaded, and the exit status is 125.`;
  static override examples = [
    '<%= config.bin %> load app.tar',
    'docker save app | <%= config.bin %> load',
    { description: 'Load an image under another name:', command: '<%= config.bin %> load oci:layout app:v1' },
  ];
  static override args = {
    source: optionalArgument('Path of the archive or directory (default: stdin)'),
    name: optionalArgument('Name of the image, instead of that in the archive: NAME[:TAG]'),
  };
  static override flags = {
    input: stringFlag({ char: 'i', helpValue: 'FILE', description: 'Read from tar archive file, instead of STDIN' }),
    platform: PLATFORM_FLAG,
    quiet: QUIET_FLAG,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Load);
    const store = new ImageStore(this.storeRoot(flags));
    // With -i the first argument is the name of the image.
    const [source = '-', name] = flags.input === undefined ? [args.source, args.name] : [flags.input, args.source];
    if (flags.input !== undefined && args.name !== undefined)
      throw new UsageError(`unexpected argument '${args.name}'`, 'With -i FILE the only argument is NAME. See lamella load --help.');
    try {
      const added = await watchTransfer(flags, (show, signal) =>
        store.load(source === '-' ? process.stdin : source, {
          ...parsePlatformFlag(flags.platform),
          ...(name === undefined ? {} : { name }),
          signal,
          onProgress: ({ diffID: id, ...rest }) => show({ id, ...rest }),
        }),
      );
      this.#show(added, flags);
    } catch (error) {
      // The other images of the archive are loaded.
      if (error instanceof LoadError) this.#show(error.loaded, flags);
      throw error;
    }
  }

  #show(added: readonly AddedImage[], flags: { readonly json: boolean | undefined; readonly quiet: boolean | undefined }): void {
    for (const { references, digest, layers, unpacked, warnings } of added) {
      const names = references.map(shortReference);
      for (const warning of flags.json ? [] : warnings) stderr.line(`lamella: note: ${warning}`);
      this.print(flags.json, { event: 'done', names, digest, layers, unpacked, warnings }, [
        flags.quiet ? digest : `${names.join(' ')} ${digest} (${layers} layers, ${unpacked} new)`,
      ]);
    }
  }
}
