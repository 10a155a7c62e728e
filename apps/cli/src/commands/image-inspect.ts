import { ImageStore, shortReference } from '@lamella/image';
import { string } from '@oclif/core/flags';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { stdout } from '../output/out.js';
import { templateOf } from '../template/fill.js';
import { withMaps } from '../template/with-maps.js';

export class ImageInspect extends LamellaCommand {
  static override summary = 'Display detailed information on an image';
  static override examples = ['<%= config.bin %> image inspect busybox', "<%= config.bin %> image inspect --format '{{json .Config}}' busybox"];
  static override args = { name: requiredArgument('Name of an image in the store') };
  static override flags = {
    format: string({ char: 'f', helpValue: 'TEMPLATE', description: 'Format output using a template of .Names .Digest .MediaType .Config .Manifest .Layers' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ImageInspect);
    const fill = flags.format === undefined ? undefined : templateOf(flags.format);
    const { names, digest, mediaType, config, manifest, layers } = await new ImageStore(this.storeRoot(flags)).describe(args.name);
    const fields = { Names: names.map(shortReference), Digest: digest, MediaType: mediaType, Config: config, Manifest: manifest, Layers: layers };
    if (!fill) stdout.json(fields, flags.json ? undefined : 2);
    else stdout.line(fill(withMaps(fields, ['Config', 'Manifest'])));
  }
}
