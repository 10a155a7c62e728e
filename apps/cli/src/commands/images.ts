import { familiarReference, formatReference, ImageStore } from '@lamella/image';
import { boolean, string } from '@oclif/core/flags';
import { LamellaCommand } from '../lamella-command.js';
import { stderr } from '../output/out.js';
import { jsonLine } from '../output/printable.js';
import { table } from '../output/table.js';
import { fill } from '../output/template.js';
import { ago, bytes } from '../output/units.js';

export class Images extends LamellaCommand {
  static override summary = 'List the images of the store.';
  static override description = 'SIZE is what the blobs of an image take; SHARED of it other images have, too, UNIQUE would go with it.';
  static override examples = [
    '<%= config.bin %> images',
    { description: 'For programs:', command: '<%= config.bin %> images --json' },
    { description: 'In your own words:', command: "<%= config.bin %> images --format '{{.Name}}:{{.Tag}} {{.Size}}'" },
  ];
  static override flags = {
    digests: boolean({ description: 'show whole digests' }),
    format: string({
      helpValue: 'table|json|TEMPLATE',
      default: 'table',
      description: 'a table, a JSON line each, or a template of .Name .Tag .Digest .Created .Size .Shared .Unique',
    }),
    quiet: boolean({ char: 'q', description: 'digests only' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Images);
    const store = new ImageStore(this.storeRoot(flags));
    const listed = await store.list();
    const usage = new Map((await store.usage()).images.map((each) => [each.name, each]));
    const images = listed.map(({ reference, size, ...rest }) => {
      const { shared = 0, unique = size } = usage.get(formatReference(reference)) ?? {};
      return { ...familiarReference(reference), size, shared, unique, ...rest };
    });
    if (!images.length && !flags.json && !flags.quiet)
      stderr.line(`There are no images in ${store.paths.root}. Fetch one: lamella pull NAME, or import one: lamella import FILE NAME`);
    for (const { name, tag, damaged } of flags.json ? [] : images)
      if (damaged !== undefined) stderr.line(`lamella: note: ${name}:${tag} is damaged: ${damaged}. See: lamella system check`);
    if (flags.quiet)
      return this.print(
        flags.json,
        images.map(({ digest }) => digest),
        images.map(({ digest }) => digest),
      );
    if (flags.format === 'json' && !flags.json) return this.print(false, images, images.map(jsonLine));
    const shown = images.map(({ name, tag, digest, created, size, shared, unique }) => ({
      Name: name,
      Tag: tag,
      Digest: flags.digests ? digest : digest.slice(7, 19),
      Created: created ? ago(new Date(created)) : '',
      Size: bytes(size),
      Shared: bytes(shared),
      Unique: bytes(unique),
    }));
    const header = ['NAME', 'TAG', 'DIGEST', 'CREATED', 'SIZE', 'SHARED', 'UNIQUE'];
    const lines =
      flags.format === 'table'
        ? images.length
          ? table(
              header,
              shown.map((row) => Object.values(row)),
            )
          : []
        : shown.map((row) => fill(flags.format, row));
    this.print(flags.json, images, lines);
  }
}
