import { familiarReference, ImageStore } from '@lamella/image';
import { LamellaCommand } from '../lamella-command.js';
import { table } from '../output/table.js';
import { ago, bytes } from '../output/units.js';

export class Images extends LamellaCommand {
  static override summary = 'List the images of the store.';
  static override examples = ['<%= config.bin %> images', { description: 'For programs:', command: '<%= config.bin %> images --json' }];

  async run(): Promise<void> {
    const { flags } = await this.parse(Images);
    const root = this.storeRoot(flags);
    const images = (await new ImageStore(root).list()).map(({ reference, ...rest }) => ({ ...familiarReference(reference), ...rest }));
    const rows = images.map(({ name, tag, digest, created, size }) => [name, tag, digest.slice(7, 19), created ? ago(new Date(created)) : '', bytes(size)]);
    const lines = images.length ? table(['NAME', 'TAG', 'DIGEST', 'CREATED', 'SIZE'], rows) : [];
    if (!images.length && !flags.json) process.stderr.write(`There are no images in ${root}. Import one: lamella import FILE NAME\n`);
    this.print(flags.json, images, lines);
  }
}
