import { ImageStore } from '@lamella/image';
import { LamellaCommand } from '../lamella-command.js';
import { table } from '../output/table.js';
import { bytes } from '../output/units.js';

export class SystemDf extends LamellaCommand {
  static override summary = 'Show where the space of the store goes.';

  async run(): Promise<void> {
    const { flags } = await this.parse(SystemDf);
    const usage = await new ImageStore(this.storeRoot(flags)).usage();
    const rows = usage.images.map(({ name, size, shared, unique }) => [name, bytes(size), bytes(shared), bytes(unique)]);
    const total = `blobs ${bytes(usage.blobs)}, unpacked layers about ${bytes(usage.trees)}`;
    this.print(flags.json, usage, [...table(['IMAGE', 'SIZE', 'SHARED', 'UNIQUE'], rows), '', total]);
  }
}
