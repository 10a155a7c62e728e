import { ImageStore } from '@lamella/image';
import { boolean, string } from '@oclif/core/flags';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { table } from '../output/table.js';
import { bytes } from '../output/units.js';
import { type Headers, listFormat } from '../template/fill.js';

const HEADERS = { Image: 'IMAGE', Size: 'SIZE', Shared: 'SHARED', Unique: 'UNIQUE' } as const satisfies Headers;

export class SystemDf extends LamellaCommand {
  static override summary = 'Show disk usage of the store';
  static override flags = {
    format: string({
      helpValue: 'table [TEMPLATE]|json|TEMPLATE',
      default: 'table',
      description: 'Format output as a table, as JSON, or with a template of .Image .Size .Shared .Unique',
    }),
    verbose: boolean({ char: 'v', description: 'Show detailed information on space usage (always on)' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(SystemDf);
    const print = listFormat(flags.format, HEADERS);
    const usage = await new ImageStore(this.storeRoot(flags)).usage();
    const rows = usage.images.map(({ name, size, shared, unique }) => ({ Image: name, Size: bytes(size), Shared: bytes(shared), Unique: bytes(unique) }));
    const total = `blobs ${bytes(usage.blobs)}, unpacked layers about ${bytes(usage.trees)}`;
    const own = [
      ...table(
        Object.values(HEADERS),
        rows.map(({ Image, Size, Shared, Unique }) => [Image, Size, Shared, Unique]),
      ),
      '',
      total,
    ];
    this.print(flags.json, usage, print ? print(rows) : own);
  }
}
