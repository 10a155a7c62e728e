import { type AddedImage, ImageStore, LoadError, shortReference } from '@lamella/image';
import { string as stringFlag } from '@oclif/core/flags';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { optionalArgument } from '../command-line/arguments.js';
import { UsageError } from '../errors/usage-error.js';
import { stderr } from '../output/out.js';
import { PLATFORM_FLAG, parsePlatformFlag, QUIET_FLAG, watchTransfer } from '../transfer/watch-transfer.js';

export class Load extends LamellaCommand {
  static override summary = 'Load images from an archive or an OCI image layout.';
  static override description = `What docker save, podman save, skopeo copy or lamella save wrote; what it is is found out by looking, or said
in skopeo's words: docker-archive:FILE[:NAME], oci-archive:FILE[:NAME], oci:DIR[:NAME], dir:DIR. With a name the tar of a root filesystem is taken, too. An image without a name of its own is kept as localhost/loaded:ID. Of several images
those that are whole are loaded; the others are named, and the status is 125.`;
  static override examples = [
    '<%= config.bin %> load app.tar',
    'docker save app | <%= config.bin %> load',
    { description: 'With another name than its own:', command: '<%= config.bin %> load oci:layout app:v1' },
  ];
  static override args = {
    source: optionalArgument('the archive or directory; stdin when missing or -'),
    name: optionalArgument('NAME[:TAG] of the image, instead of its own'),
  };
  static override flags = {
    input: stringFlag({ char: 'i', helpValue: 'FILE', description: 'the archive, as docker load has it' }),
    platform: PLATFORM_FLAG,
    quiet: QUIET_FLAG,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Load);
    const store = new ImageStore(this.storeRoot(flags));
    // With -i the archive is named already: the first word is the image's name.
    const [source = '-', name] = flags.input === undefined ? [args.source, args.name] : [flags.input, args.source];
    if (flags.input !== undefined && args.name !== undefined)
      throw new UsageError(`'${args.name}' is one argument too many`, "See 'lamella load --help': with -i FILE only a name follows.");
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
      // One that is broken does not keep the others from being there.
      if (error instanceof LoadError) this.#show(error.loaded, flags);
      throw error;
    }
  }

  #show(added: readonly AddedImage[], flags: { readonly json: boolean | undefined; readonly quiet: boolean | undefined }): void {
    for (const { references, digest, layers, unpacked, warnings } of added) {
      const names = references.map(shortReference);
      for (const warning of flags.json ? [] : warnings) stderr.line(`lamella: note: ${warning}`);
      this.print(flags.json, { event: 'done', names, digest, layers, unpacked, warnings }, [
        flags.quiet ? digest : `${names.join(' ')} ${digest} (${layers} layers, ${unpacked} of them new)`,
      ]);
    }
  }
}
