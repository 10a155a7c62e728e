import { historyOf, ImageStore } from '@lamella/image';
import { argument } from '../argument.js';
import { LamellaCommand } from '../lamella-command.js';
import { table } from '../output/table.js';
import { ago, bytes } from '../output/units.js';

export class ImageHistory extends LamellaCommand {
  static override summary = 'Show how an image was made, the last step first.';
  static override args = { name: argument('an image of the store') };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ImageHistory);
    const steps = historyOf(await new ImageStore(this.storeRoot(flags)).describe(args.name));
    const rows = steps.map(({ created, createdBy, layer, comment }) => [
      layer ? layer.digest.slice(7, 19) : '',
      created ? ago(new Date(created)) : '',
      layer ? bytes(layer.size) : '0 B',
      [createdBy, comment].filter(Boolean).join('  # ').replace(/\s+/g, ' ').slice(0, 100),
    ]);
    this.print(flags.json, steps, table(['LAYER', 'CREATED', 'SIZE', 'MADE BY'], rows));
  }
}
