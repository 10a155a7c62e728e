import path from 'node:path';
import { sweep } from '@lamella/engine';
import { ImageStore } from '@lamella/image';
import { boolean } from '@oclif/core/flags';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { OUR_FAILURE } from '../output/exit-status.js';
import { reportError } from '../output/report-error.js';

export class Sweep extends LamellaCommand {
  static override summary = 'Clean up after killed containers and imports';
  static override description = 'Every run cleans up first, so this command is rarely needed.';
  static override examples = ['<%= config.bin %> sweep', { description: 'Remove kept containers too:', command: '<%= config.bin %> sweep --kept' }];
  static override flags = { kept: boolean({ description: 'Remove containers that were kept with run --keep' }) };

  async run(): Promise<void> {
    const { flags } = await this.parse(Sweep);
    const root = this.storeRoot(flags);
    const containers = path.join(root, 'containers');
    const { released, kept, alive, failed } = await sweep(root, { kept: flags.kept });
    const unpacking = await new ImageStore(root).sweep();
    const lines = [
      ...released.map((id) => `released ${id}`),
      ...(unpacking ? [`removed ${unpacking} unfinished import${unpacking > 1 ? 's' : ''}`] : []),
      ...kept.map((id) => `kept     ${path.join(containers, id, 'upper')}`),
    ];
    for (const failure of failed) reportError(failure, { debug: flags.debug });
    if (failed.length) process.exitCode = OUR_FAILURE;
    this.print(flags.json, { released, kept, alive, unpacking, failed }, lines.length ? lines : ['Nothing to clean up.']);
  }
}
